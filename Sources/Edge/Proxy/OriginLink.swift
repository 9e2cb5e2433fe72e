// SPDX-License-Identifier: Apache-2.0
import EdgeTunnels
import Mux
import NIOCore
import Protocol

/// Hears what an exchange's connection to the origin has to tell; called on the visitor's event loop.
protocol OriginLinkConsumer: AnyObject {
    /// The connector has taken the stream; told only where ``OriginLink/open`` was asked to.
    func originAccepted()
    func originReceived(_ bytes: ByteBuffer)
    func originCompletedRead()
    /// The origin has sent its last byte.
    func originEnded()
    func originWritabilityChanged()
    /// The origin takes no more of the request.
    ///
    /// - Parameter isReused: Whether the stream had served another request.
    func originStoppedReading(isReused: Bool)
    /// Nothing comes from the session any more, for no known reason; it may go on at any time.
    func originFellSilent(_ circumstances: OriginLink.Circumstances)
    /// The session is not waited for any more; what the connector has taken may go on.
    func originWasGivenUp(_ circumstances: OriginLink.Circumstances)
    func originFailed(_ failure: OriginLink.Failure)
}

/// Joins an exchange on the visitor's event loop to a stream on the session's.
///
/// Where both are the same loop every call goes straight through. Otherwise bytes cross in bursts: one hop for what one
/// read or one flush brought. Back-pressure is mirrored in both directions.
///
/// It is `Sendable` because each of its variables belongs to one of the two loops, as marked.
final class OriginLink: @unchecked Sendable {  // The compiler knows no variable of an event loop.
    /// Why there is no stream any more.
    enum Failure {
        /// None could be opened.
        case unavailable(OpenError)
        /// It ended.
        case stream(StreamError, Circumstances)
    }

    /// How things stood when a stream ended.
    struct Circumstances: Sendable {
        /// Whether it had served another request.
        private(set) var isReused = false
        /// Whether the connector had taken it.
        private(set) var wasAccepted = false
        /// Whether the origin had sent its last byte, and nothing else was the matter.
        private(set) var isAfterEnd = false
    }

    private let visitorLoop: any EventLoop
    private let session: TunnelSession
    private let tunnel: Tunnel
    private let isLocal: Bool

    // Visitor's loop.
    /// Receives the events of the stream until both directions have ended; link and receiver retain each other until then.
    private var consumer: (any OriginLinkConsumer)?
    /// Whether the exchange should go on writing.
    private(set) var isWritable = true
    private var outbox: [ByteBuffer] = []
    /// Whether the stream has served another exchange before; known once it has told something.
    private(set) var isReused = false
    /// How many bytes of the origin's the exchange was given.
    private var givenBytes = 0

    // Session's loop.
    private var connection: OriginConnection?
    private var tellsAcceptance = false
    private var inbox: [ByteBuffer] = []
    /// How many bytes the origin has sent.
    private var receivedBytes = 0

    /// - Parameters:
    ///   - visitorLoop: The event loop of the visitor's connection.
    ///   - session: The session to use.
    ///   - tunnel: The tunnel that it serves.
    init(visitorLoop: any EventLoop, session: TunnelSession, tunnel: Tunnel) {
        self.visitorLoop = visitorLoop
        self.session = session
        self.tunnel = tunnel
        self.isLocal = session.eventLoop === visitorLoop
    }

    /// The number of the session.
    var sessionID: UInt64 { self.session.id }
    /// What the connector knows the tunnel by.
    var target: String { self.session.target }

    /// Takes an idle connection or opens a stream, and sends the first bytes with it.
    ///
    /// - Parameters:
    ///   - request: The head of the request.
    ///   - body: What there is of its body.
    ///   - metadata: What OPEN is to say, for a new stream.
    ///   - connectTimeout: How long the connector has to reach the origin.
    ///   - mayReuse: Whether an idle connection may be used.
    ///   - owner: The key of the connection that belongs to the visitor's, if there is one: that is used, whatever the
    ///     request.
    ///   - tellsAcceptance: Whether the consumer wants to know when the connector takes the stream.
    ///   - consumer: The exchange.
    func open(
        request: ByteBuffer,
        body: [ByteBuffer],
        metadata: OpenMetadata,
        connectTimeout: TimeAmount,
        mayReuse: Bool,
        owner: UInt64?,
        tellsAcceptance: Bool,
        to consumer: any OriginLinkConsumer
    ) {
        self.consumer = consumer
        if self.isLocal {
            self.tellsAcceptance = tellsAcceptance
            self.connect(request, body, metadata, connectTimeout, mayReuse, owner)
        } else {
            self.session.eventLoop.execute {
                self.tellsAcceptance = tellsAcceptance
                self.connect(request, body, metadata, connectTimeout, mayReuse, owner)
            }
        }
    }

    private func connect(
        _ request: ByteBuffer,
        _ body: [ByteBuffer],
        _ metadata: OpenMetadata,
        _ connectTimeout: TimeAmount,
        _ mayReuse: Bool,
        _ owner: UInt64?
    ) {
        let pool = self.session.pool.value
        let waiting = owner.flatMap { pool.take(boundTo: $0) } ?? (mayReuse ? pool.take() : nil)
        if let connection = waiting as? OriginConnection {
            connection.attach(self)
            self.connection = connection
        } else {
            let connection = OriginConnection(pool: pool)
            do {
                let channel = try self.session.open(metadata, kind: .http, deadline: connectTimeout) { stream in
                    try stream.syncOptions?.setOption(ChannelOptions.autoRead, value: false)
                    try stream.pipeline.syncOperations.addHandler(connection)
                    connection.attach(self, channel: stream)
                }
                withExtendedLifetime(channel) { self.connection = connection }
                pool.opened(connection, of: self.tunnel)
            } catch {
                let failure = Failure.unavailable(error as? OpenError ?? .sessionUnavailable)
                // Never from inside open(): the exchange has just begun.
                return self.visitorLoop.execute { self.tell { $0.originFailed(failure) } }
            }
        }
        self.connection?.write(request)
        for part in body { self.connection?.write(part) }
        self.connection?.flush()
        self.connection?.read()
    }

    // MARK: From the visitor's loop

    func write(_ bytes: ByteBuffer) {
        if self.isLocal { self.connection?.write(bytes) } else { self.outbox.append(bytes) }
    }

    func flush() {
        if self.isLocal { return self.connection?.flush() ?? () }
        guard !self.outbox.isEmpty else { return }
        let bytes = self.outbox
        self.outbox.removeAll(keepingCapacity: true)
        self.session.eventLoop.execute {
            for part in bytes { self.connection?.write(part) }
            self.connection?.flush()
        }
    }

    /// Asks for more of the response.
    func read() {
        self.onSessionLoop { $0.read() }
    }

    /// The visitor has sent its last byte.
    func finish() {
        self.flush()
        self.onSessionLoop { $0.finish() }
    }

    /// Ends the exchange at once; nothing is heard of it any more.
    func reset(_ code: ErrorCode) {
        self.consumer = nil
        self.onSessionLoop {
            $0.reset(code)
            self.connection = nil
        }
    }

    /// Both sides have sent their last byte; what is on its way to the origin still arrives.
    func leave() {
        self.flush()
        self.consumer = nil
        self.onSessionLoop {
            $0.leave()
            self.connection = nil
        }
    }

    /// The exchange is over; nothing is heard of it any more.
    ///
    /// - Parameters:
    ///   - reusable: Whether the connection may serve another.
    ///   - owner: The key of the visitor's connection that it belongs to from now on, if it must not be shared.
    func release(reusable: Bool, owner: UInt64?) {
        self.consumer = nil
        // A request each: straight through, the common case needs no closure.
        guard !self.isLocal else { return self.release(reusable, owner, givenBytes: self.givenBytes) }
        self.session.eventLoop.execute { [givenBytes = self.givenBytes] in
            self.release(reusable, owner, givenBytes: givenBytes)
        }
    }

    private func release(_ isReusable: Bool, _ owner: UInt64?, givenBytes: Int) {
        // What was on its way between the loops belongs to no response: it must not become part of the next.
        self.connection?.release(reusable: isReusable && self.receivedBytes == givenBytes, owner: owner)
        self.connection = nil
    }

    private func onSessionLoop(_ body: @escaping @Sendable (OriginConnection) -> Void) {
        if self.isLocal {
            if let connection { body(connection) }
        } else {
            self.session.eventLoop.execute { if let connection = self.connection { body(connection) } }
        }
    }

    // MARK: From the session's loop

    func received(_ bytes: ByteBuffer) {
        self.receivedBytes += bytes.readableBytes
        if self.isLocal { self.give(bytes) } else { self.inbox.append(bytes) }
    }

    private func give(_ bytes: ByteBuffer) {
        self.givenBytes += bytes.readableBytes
        self.consumer?.originReceived(bytes)
    }

    func completedRead() {
        if self.isLocal { return self.consumer?.originCompletedRead() ?? () }
        let bytes = self.inbox
        self.inbox.removeAll(keepingCapacity: true)
        self.visitorLoop.execute {
            for part in bytes { self.give(part) }
            self.consumer?.originCompletedRead()
        }
    }

    func ended() {
        let isReused = self.connection?.isReused ?? false
        if self.isLocal {
            self.isReused = isReused
            self.consumer?.originEnded()
        } else {
            self.visitorLoop.execute {
                self.isReused = isReused
                self.consumer?.originEnded()
            }
        }
    }

    func accepted() {
        guard self.tellsAcceptance else { return }
        self.onVisitorLoop { $0.originAccepted() }
    }

    func stopped() {
        let isReused = self.connection?.isReused ?? false
        self.onVisitorLoop { $0.originStoppedReading(isReused: isReused) }
    }

    func fellSilent(_ circumstances: Circumstances) {
        self.onVisitorLoop { $0.originFellSilent(circumstances) }
    }

    func wasGivenUp(_ circumstances: Circumstances) {
        self.onVisitorLoop { $0.originWasGivenUp(circumstances) }
    }

    func writabilityChanged(_ isWritable: Bool) {
        if self.isLocal {
            self.isWritable = isWritable
            self.consumer?.originWritabilityChanged()
        } else {
            self.visitorLoop.execute {
                self.isWritable = isWritable
                self.consumer?.originWritabilityChanged()
            }
        }
    }

    func failed(_ error: StreamError, _ circumstances: Circumstances) {
        self.connection = nil
        self.session.streamFailed(error)
        if self.isLocal {
            self.tell { $0.originFailed(.stream(error, circumstances)) }
        } else {
            self.visitorLoop.execute { self.tell { $0.originFailed(.stream(error, circumstances)) } }
        }
    }

    /// Tells the last thing that there is to tell.
    private func tell(_ end: (any OriginLinkConsumer) -> Void) {
        guard let consumer = self.consumer.take() else { return }
        end(consumer)
    }

    private func onVisitorLoop(_ body: @escaping @Sendable (any OriginLinkConsumer) -> Void) {
        if self.isLocal {
            if let consumer { body(consumer) }
        } else {
            self.visitorLoop.execute { if let consumer = self.consumer { body(consumer) } }
        }
    }
}
