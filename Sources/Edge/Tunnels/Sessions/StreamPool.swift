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
    /// Connections that wait for one visitor's connection alone, by its key, until that ends.
    private var bound: [UInt64: any IdleStream] = [:]
    /// New connections that have not got a byte of the origin's yet.
    private var unanswered: [ObjectIdentifier: Waiting] = [:]
    /// The sessions that lead to the same origin.
    private weak var sharing: (any OriginSharing)?
    private var isLookScheduled = false
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
        guard !self.isClosed, self.sharing?.keepsIdleConnections(now: self.eventLoop.now) ?? true else {
            return connection.discard()
        }
        self.idle.park(connection, now: now)?.discard()
        self.scheduleSweep()
    }

    /// The connection that waits for this key, if it is still clean.
    package func take(boundTo key: UInt64) -> (any IdleStream)? {
        guard let connection = self.bound.removeValue(forKey: key), connection.isReusable else { return nil }
        return connection
    }

    /// Keeps a connection for whoever has the key, and for nobody else.
    package func park(_ connection: any IdleStream, boundTo key: UInt64) {
        guard !self.isClosed else { return connection.discard() }
        self.bound.updateValue(connection, forKey: key)?.discard()
    }

    /// Nobody has the key any more.
    package func discard(boundTo key: UInt64) {
        self.bound.removeValue(forKey: key)?.discard()
    }

    /// Gives up the connection that has waited the longest, so that another stream can have its slot.
    func makeRoom() {
        if !self.giveUpOldest() { self.makeRoomElsewhere?() }
    }

    /// Gives up the connection that has waited the longest, one that is bound only if there is no other; whether there
    /// was one.
    func giveUpOldest() -> Bool {
        guard let oldest = self.idle.takeOldest() ?? self.bound.popFirst()?.value else { return false }
        oldest.discard()
        return true
    }

    package func remove(_ connection: any IdleStream) {
        self.idle.remove { $0 === connection }
    }

    /// Forgets a bound connection that has ended by itself.
    package func remove(_ connection: any IdleStream, boundTo key: UInt64) {
        if self.bound[key] === connection { self.bound[key] = nil }
    }

    /// The session takes no more requests: what waits goes.
    package func close() {
        self.isClosed = true
        for connection in self.idle.removeAll() + self.bound.values { connection.discard() }
        self.bound.removeAll()
    }

    // MARK: Origins that serve one connection at a time

    /// Since when a connection waits, and when it is looked at: after 200, 400, 800 ms, and each second.
    private struct Waiting {
        var since: NIODeadline
        var due: NIODeadline
    }

    /// A connection was opened, and waits for its first byte.
    package func opened(_ connection: any IdleStream, of sharing: any OriginSharing) {
        self.sharing = sharing
        let now = self.eventLoop.now
        self.unanswered[ObjectIdentifier(connection)] = Waiting(since: now, due: now + OriginTurns.patience)
        self.scheduleLook()
    }

    /// A connection got its first byte, or has ended without one.
    ///
    /// - Parameter isAnswered: Whether it got one.
    package func settled(_ connection: any IdleStream, isAnswered: Bool) {
        guard let waiting = self.unanswered.removeValue(forKey: ObjectIdentifier(connection)), isAnswered else {
            return
        }
        let now = self.eventLoop.now
        if now - waiting.since >= OriginTurns.patience { self.sharing?.originAnswered(since: waiting.since, now: now) }
    }

    /// Gives up what waits for any visitor; whether there was something.
    func giveUpIdle() -> Bool {
        let connections = self.idle.removeAll()
        for connection in connections { connection.discard() }
        return !connections.isEmpty
    }

    /// Looks now and then at who waits: one timer for all of them, and none while nobody does.
    private func scheduleLook() {
        guard !self.isLookScheduled else { return }
        self.isLookScheduled = true
        self.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(100)) {
            self.isLookScheduled = false
            guard !self.unanswered.isEmpty else { return }
            self.look(now: self.eventLoop.now)
            self.scheduleLook()
        }
    }

    private func look(now: NIODeadline) {
        var latest: NIODeadline?
        for (key, waiting) in self.unanswered where waiting.due <= now {
            latest = max(latest ?? waiting.since, waiting.since)
            self.unanswered[key]?.due = now + min(now - waiting.since, .seconds(1))
        }
        // Whoever came last has had its way the least.
        if let latest { self.sharing?.giveUpIdleConnections(since: latest, now: now) }
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
