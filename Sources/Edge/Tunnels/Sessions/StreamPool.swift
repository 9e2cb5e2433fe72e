// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// A stream that can serve one request after another; used on its session's event loop.
package protocol IdleStream: AnyObject {
    /// Whether another request may use it.
    var isReusable: Bool { get }
    /// Ends it: nobody will use it again.
    func discard()
}

/// The idle origin connections of one session; used on its event loop.
package final class StreamPool {
    private var idle = IdleStreams<any IdleStream>()
    private let eventLoop: any EventLoop
    private let makeRoomElsewhere: (() -> Void)?
    private var isSweepScheduled = false
    private var isClosed = false

    /// - Parameters:
    ///   - eventLoop: The event loop of the session.
    ///   - makeRoomElsewhere: Gives up an idle connection of another tunnel that shares the session.
    package init(eventLoop: any EventLoop, makeRoomElsewhere: (() -> Void)? = nil) {
        self.eventLoop = eventLoop
        self.makeRoomElsewhere = makeRoomElsewhere
    }

    /// A connection that is known to be clean, if there is one.
    package func take(now: NIODeadline = .now()) -> (any IdleStream)? {
        while let connection = self.idle.take(now: now) {
            if connection.isReusable { return connection }
        }
        return nil
    }

    package func park(_ connection: any IdleStream, now: NIODeadline = .now()) {
        guard !self.isClosed else { return connection.discard() }
        self.idle.park(connection, now: now)?.discard()
        self.scheduleSweep()
    }

    /// Gives up the connection that has waited the longest, so that another stream can have its slot.
    func makeRoom() {
        if !self.giveUpOldest() { self.makeRoomElsewhere?() }
    }

    /// Gives up the connection that has waited the longest; whether there was one.
    func giveUpOldest() -> Bool {
        guard let oldest = self.idle.takeOldest() else { return false }
        oldest.discard()
        return true
    }

    package func remove(_ connection: any IdleStream) {
        self.idle.remove { $0 === connection }
    }

    /// The session takes no more requests: what waits goes.
    package func close() {
        self.isClosed = true
        for connection in self.idle.removeAll() { connection.discard() }
    }

    private func scheduleSweep() {
        guard !self.isSweepScheduled else { return }
        self.isSweepScheduled = true
        self.eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) {
            self.isSweepScheduled = false
            for connection in self.idle.expire(now: .now()) { connection.discard() }
            if self.idle.count > 0 { self.scheduleSweep() }
        }
    }
}
