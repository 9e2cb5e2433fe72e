// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Joins a session to a connection that came after its first one (docs/protocol.md §B.19): to the handler in the
/// pipeline of that connection, which may be on another event loop.
///
/// Where both are the same loop every call goes straight through. Otherwise bytes cross in bursts: one hop for what one
/// read or one flush brought, and the session is held back while more than a little is on its way.
///
/// It is `Sendable` because each of its variables belongs to one of the two loops, as marked.
final class SessionCarrier: @unchecked Sendable {  // The compiler knows no variable of an event loop.
    private let connectionLoop: any EventLoop
    private let sessionLoop: any EventLoop
    private let isLocal: Bool

    // Connection's loop.
    private var connection: ChannelHandlerContext?
    private var inbox: [ByteBuffer] = []

    // Session's loop; the session holds the carrier, and the carrier the session, until either lets go.
    private var session: SessionHandler?
    private var isChannelWritable = true
    private var outbox: [ByteBuffer] = []
    private var outboxBytes = 0
    /// What the other loop was given and has not taken, in bytes.
    private var bytesOnTheirWay = 0

    /// More than this on its way holds the session back, in bytes.
    private static let bytesPerHop = 128 << 10

    /// - Parameters:
    ///   - connection: The handler's place in the pipeline of the connection.
    ///   - sessionLoop: The event loop of the session.
    init(connection: ChannelHandlerContext, sessionLoop: any EventLoop) {
        self.connection = connection
        self.connectionLoop = connection.eventLoop
        self.sessionLoop = sessionLoop
        self.isLocal = connection.eventLoop === sessionLoop
    }

    private func onConnectionLoop(_ body: @escaping @Sendable () -> Void) {
        if self.isLocal { body() } else { self.connectionLoop.execute(body) }
    }

    private func onSessionLoop(_ body: @escaping @Sendable () -> Void) {
        if self.isLocal { body() } else { self.sessionLoop.execute(body) }
    }

    // MARK: From the session's loop

    /// The session goes on over this connection.
    func begin(_ session: SessionHandler) {
        self.session = session
    }

    var isWritable: Bool { self.isChannelWritable && self.bytesOnTheirWay + self.outboxBytes < Self.bytesPerHop }

    func write(_ bytes: ByteBuffer) {
        if self.isLocal {
            self.connection?.write(SessionHandler.wrapOutboundOut(bytes), promise: nil)
        } else {
            self.outbox.append(bytes)
            self.outboxBytes += bytes.readableBytes
        }
    }

    func flush() {
        if self.isLocal { return self.connection?.flush() ?? () }
        guard !self.outbox.isEmpty else { return }
        let (bytes, count) = (self.outbox, self.outboxBytes)
        self.outbox.removeAll(keepingCapacity: true)
        self.outboxBytes = 0
        self.bytesOnTheirWay += count
        self.connectionLoop.execute {
            for part in bytes { self.connection?.write(SessionHandler.wrapOutboundOut(part), promise: nil) }
            self.connection?.flush()
            self.sessionLoop.execute { self.taken(count) }
        }
    }

    private func taken(_ count: Int) {
        let wasWritable = self.isWritable
        self.bytesOnTheirWay -= count
        if !wasWritable, self.isWritable { self.session?.writabilityChanged(true) }
    }

    /// Closes the connection, of which nothing more is heard.
    func close() {
        self.session = nil
        self.onConnectionLoop {
            self.connection?.close(promise: nil)
            self.connection = nil
        }
    }

    func apply(_ limit: UnsentLimit) {
        self.onConnectionLoop { if let connection = self.connection { limit.apply(to: connection.channel) } }
    }

    // MARK: From the connection's loop

    func received(_ bytes: ByteBuffer) {
        if self.isLocal { self.session?.read(bytes) } else { self.inbox.append(bytes) }
    }

    func completedRead() {
        if self.isLocal { return self.session?.readCompleted() ?? () }
        let bytes = self.inbox
        self.inbox.removeAll(keepingCapacity: true)
        self.sessionLoop.execute {
            for part in bytes { self.session?.read(part) }
            self.session?.readCompleted()
        }
    }

    func writabilityChanged(_ isWritable: Bool) {
        self.onSessionLoop {
            let wasWritable = self.isWritable
            self.isChannelWritable = isWritable
            if wasWritable != self.isWritable { self.session?.writabilityChanged(self.isWritable) }
        }
    }

    /// The connection is gone.
    func ended(_ reason: String) {
        self.connection = nil
        self.onSessionLoop { self.session.take()?.connectionEnded(reason) }
    }
}
