// SPDX-License-Identifier: Apache-2.0
import DequeModule
import Logging
import NIOCore
import Protocol

/// Speaks the protocol over one WebSocket and presents each stream as a NIO channel.
///
/// Sits directly on the TCP or TLS channel once the opening handshake is done, at either end. Everything here happens
/// on the channel's event loop; see ``StreamChannel`` for what a stream looks like, and docs/library.md for a whole
/// program at either end.
///
/// ```swift
/// let session = SessionHandler(configuration: SessionConfiguration(role: .connector)) { stream in
///     try? stream.pipeline.syncOperations.addHandler(EchoHandler())
///     stream.accept()
/// }
/// try channel.pipeline.syncOperations.addHandler(session)
/// ```
public final class SessionHandler {
    var core: SessionCore
    var context: ChannelHandlerContext?
    var decoder: WebSocketDecoder
    var encoder: WebSocketEncoder
    private weak var delegate: (any SessionDelegate)?
    let logger: Logger
    private let acceptStream: ((StreamChannel) -> Void)?
    /// The stream channels by the slot of their stream.
    private var channels: ContiguousArray<StreamChannel?> = []
    /// Streams that were given bytes in this batch and are owed a read-complete.
    private var touched: [StreamChannel] = []
    /// Streams with a write whose promise waits for its bytes to be sent.
    var promising: [StreamChannel] = []

    /// What the peer's latest WebSocket ping carried, while it is not answered.
    var pongDue: ByteBuffer?

    var isReading = false
    private var isDispatching = false
    var isPumpScheduled = false
    var tickAt: NIODeadline?
    var tickTask: NIOScheduledCallback?
    var unsentLimit = UnsentLimit()
    var unwritableSince: NIODeadline?
    /// What the delegate was last told.
    private var toldSuspect = false
    private var closing = Closing.open

    private enum Closing {
        case open
        /// The Close frame is out; the peer's is awaited.
        case closeSent
        case closed
    }

    /// Makes a handler for one session.
    ///
    /// - Parameters:
    ///   - configuration: What this side brings along.
    ///   - delegate: Is told what happens to the session; held weakly.
    ///   - logger: Gets one line at the end of a session that went wrong.
    ///   - acceptStream: Called for each stream that the peer opens. It adds handlers at once and accepts or rejects
    ///     the stream, then or later. Without it every stream is rejected.
    public init(
        configuration: SessionConfiguration,
        delegate: (any SessionDelegate)? = nil,
        logger: Logger = Logger(label: "culvert.mux"),
        acceptStream: ((StreamChannel) -> Void)? = nil
    ) {
        self.core = SessionCore(configuration: configuration, now: .now())
        let isServer = configuration.role == .edge
        self.decoder = WebSocketDecoder(
            isServer: isServer,
            maximumMessage: Int(configuration.settings.maximumMessage)
        )
        self.encoder = WebSocketEncoder(isClient: !isServer)
        self.delegate = delegate
        self.logger = logger
        self.acceptStream = acceptStream
    }

    // MARK: State

    /// How far the session is in its life.
    public var phase: SessionPhase { self.core.phase }
    /// Whether a stream can be opened; it may have to wait until the peer allows another.
    public var canOpenStreams: Bool { self.core.canOpenStreams }
    /// Whether a stream could be opened without waiting for the peer to allow another.
    public var opensWithoutWaiting: Bool { self.core.opensWithoutWaiting }
    /// Whether opens wait for the peer to allow another stream, or to be written.
    public var hasOpensWaiting: Bool { !self.core.waitingOpens.isEmpty }
    /// Whether nothing has come for so long that new streams are better opened elsewhere.
    public var isSuspect: Bool { self.core.isSuspect }
    /// Streams that are under way or wait to be opened.
    public var activeStreamCount: Int { self.core.activeStreamCount }
    /// What the session's streams hold in memory for their consumers, in bytes.
    public var bufferedByteCount: Int { self.core.bufferedByteCount }
    /// The smoothed round-trip time, once known.
    public var roundTripTime: TimeAmount? { self.core.smoothedRoundTrip }
    /// When the peer's program last answered a PING.
    public var lastEcho: NIODeadline? { self.core.lastEcho }
    /// How often a stream had something to send and no credit for it.
    public var stallCount: UInt64 { self.core.stallCount }
    /// What the peer's HELLO said, once it came.
    public var peer: SessionSettings? { self.core.peer }
    /// What both sides can do beyond the minimum; nothing before the peer's HELLO came.
    public var capabilities: Capabilities { self.core.capabilities }
    /// How often the peer has passed each limit (docs/protocol.md §B.12); most of them end the session.
    public var limitHits: [PeerLimit: Int] { self.core.limitHits }
    /// The channel that the session runs on, while it does.
    public var channel: (any Channel)? { self.context?.channel }

    // MARK: Actions

    /// Opens a stream and returns its channel at once: bytes written to it ride behind OPEN, no round trip is spent.
    ///
    /// - Parameters:
    ///   - kind: What the bytes of the stream are.
    ///   - priority: How large its share is.
    ///   - metadata: What else the acceptor must know.
    ///   - deadline: How long the acceptor has to answer, at most 60 s.
    ///   - group: The streams that this one belongs to, if any.
    ///   - initializer: Adds the handlers.
    /// - Throws: ``OpenError``, or what the initializer throws; nothing was sent.
    public func openStream(
        kind: StreamKind,
        priority: Priority = .normal,
        metadata: OpenMetadata,
        deadline: TimeAmount = .seconds(10),
        group: StreamGroup? = nil,
        initializer: (StreamChannel) throws -> Void
    ) throws -> StreamChannel {
        guard let parent = self.context?.channel else { throw OpenError.sessionUnavailable }
        parent.eventLoop.preconditionInEventLoop()
        let key = try self.core.open(
            kind: kind,
            priority: priority,
            metadata: metadata,
            deadline: deadline,
            now: .now()
        )
        let stream = StreamChannel(session: self, parent: parent, key: key, opening: nil)
        self.register(stream)
        if let group { stream.join(group) }
        do {
            try initializer(stream)
        } catch {
            stream.abandon()
            throw error
        }
        stream.activate()
        self.setNeedsPump()
        return stream
    }

    /// Announces the end of the session in good order; the handler closes the connection when the last stream is done.
    ///
    /// - Parameters:
    ///   - code: Why: SHUTDOWN or REPLACED.
    ///   - gracePeriod: How long streams may still run.
    ///   - reconnectAfter: How long the peer is to wait before it connects elsewhere.
    ///   - lingering: How long this side may still open streams, and the session stays without any: part of the grace.
    public func drain(
        code: ErrorCode = .shutdown,
        gracePeriod: TimeAmount,
        reconnectAfter: TimeAmount,
        lingering: TimeAmount = .zero
    ) {
        self.core.startDrain(
            code: code,
            gracePeriod: gracePeriod,
            reconnectAfter: reconnectAfter,
            lingering: lingering,
            now: .now()
        )
        self.setNeedsPump()
    }

    /// Ends the session at once: every stream fails, the connection is closed.
    ///
    /// - Parameters:
    ///   - code: Why.
    ///   - reason: What GOAWAY says of it, for the peer's logs.
    public func close(code: ErrorCode, reason: String) {
        self.core.close(code: code, reason: reason)
        self.setNeedsPump()
    }

    /// Asks the peer at once whether it is there; until it says anything it is suspect.
    ///
    /// - Parameter givingUp: Whether the session ends if nothing comes within 2 to 6 seconds, depending on the round
    ///   trip: for when this side's network has changed.
    public func probe(givingUp: Bool = false) {
        self.core.probe(givingUp: givingUp, now: .now())
        // Told before anything else can happen, so that the answer that clears it is told, too.
        self.tellSuspicion()
        self.setNeedsPump()
    }

    /// Asks the peer's program for an answer, unless one is awaited; see ``lastEcho``.
    public func requestEcho() {
        self.core.requestEcho()
        self.setNeedsPump()
    }

    private func tellSuspicion() {
        guard self.core.isSuspect != self.toldSuspect else { return }
        self.toldSuspect.toggle()
        self.delegate?.sessionSuspicionDidChange(self)
    }

    func start() {
        self.pump()
        self.scheduleTick()
    }

    func receive(_ element: WebSocketDecoder.Element, now: NIODeadline) {
        switch element {
        case .binary(let message): self.core.receive(message, now: now)
        case .text:
            self.webSocketFailed(WebSocketViolation(.unacceptableData, "a text message"))
        case .ping(let payload):
            // Sent with the next messages: only the latest is answered (RFC 6455 §5.5.3), so that a peer that asks
            // and never reads makes nothing grow.
            self.pongDue = payload
        case .pong: break
        case .close(let code, _):
            self.finishClosing(answering: code)
        }
    }

    // MARK: Streams

    private func register(_ stream: StreamChannel) {
        while self.channels.count <= stream.key.slot { self.channels.append(nil) }
        self.channels[stream.key.slot] = stream
    }

    /// The stream's channel has closed: nothing local belongs to the stream any more.
    func release(_ stream: StreamChannel) {
        if stream.key.slot < self.channels.count, self.channels[stream.key.slot] === stream {
            self.channels[stream.key.slot] = nil
        }
        self.core.release(stream.key)
        self.setNeedsPump()
    }

    /// Ends the streams of a group at once, as if the session had ended under them.
    ///
    /// What the peer has sent in full may still be read; a stream that is not accepted yet is refused with DRAINING, as
    /// nothing of it was delivered.
    ///
    /// - Parameters:
    ///   - group: Whose streams.
    ///   - code: What RESET tells the peer.
    ///   - reason: For logs, here and at the other side.
    public func reset(_ group: StreamGroup, code: ErrorCode, reason: String) {
        let error = StreamError(
            code: .sessionLost,
            reason: "\(code): \(reason)",
            origin: .sessionLost,
            isRetrySafe: false
        )
        // Handlers that are told may open further streams, which are not meant.
        for stream in self.channels.compactMap({ $0 }) where stream.group === group {
            guard !self.core.isOver(stream.key) else { continue }
            stream.reset(code: stream.isUnanswered ? .draining : code, reason: reason, telling: error)
        }
    }

    private func stream(_ key: StreamKey) -> StreamChannel? {
        guard key.slot < self.channels.count, let stream = self.channels[key.slot], stream.key == key else {
            return nil
        }
        return stream
    }

    /// Passes the events of the core on to streams and delegate.
    ///
    /// Handlers that are told may cause further events.
    func dispatchEvents() {
        guard !self.isDispatching else { return }
        self.isDispatching = true
        defer { self.isDispatching = false }
        while let event = self.core.nextEvent() { self.dispatch(event) }
        self.tellSuspicion()
        if !self.isReading { self.completeReads() }
    }

    private func dispatch(_ event: SessionEvent) {
        switch event {
        case .readable(let key):
            guard let stream = self.stream(key) else { return }
            if stream.becameReadable() { self.touched.append(stream) }
        case .writable(let key): self.stream(key)?.becameWritable()
        case .opened(let key, let opening): self.accept(key, opening)
        case .accepted(let key): self.stream(key)?.pipeline.fireUserInboundEventTriggered(StreamEvent.accepted)
        case .stopped(let key, let code): self.stream(key)?.peerStoppedReading(code)
        case .closed(let key, let error):
            if let stream = self.stream(key) {
                stream.ended(error)
            } else {
                self.core.release(key)
            }
        case .active(let peer): self.delegate?.sessionDidBecomeActive(self, peer: peer)
        case .draining(let code, let grace, let reconnectAfter):
            self.delegate?.sessionPeerIsDraining(
                self,
                code: code,
                gracePeriod: grace,
                reconnectAfter: reconnectAfter
            )
        case .ended(let end): self.ended(end)
        }
    }

    private func accept(_ key: StreamKey, _ opening: OpenFrame) {
        guard let parent = self.context?.channel, let acceptStream = self.acceptStream else {
            self.core.reject(key, code: .targetUnknown, reason: "no streams are accepted here")
            self.core.release(key)
            return
        }
        let stream = StreamChannel(session: self, parent: parent, key: key, opening: opening)
        self.register(stream)
        acceptStream(stream)
    }

    func completeReads() {
        while !self.touched.isEmpty {
            let touched = self.touched
            self.touched.removeAll(keepingCapacity: true)
            for stream in touched { stream.completeRead() }
            guard !self.isDispatching else { return }
            self.isDispatching = true
            while let event = self.core.nextEvent() { self.dispatch(event) }
            self.isDispatching = false
        }
    }

    // MARK: The end

    private func ended(_ end: SessionEnd) {
        self.tickTask?.cancel()
        self.tickTask = nil
        if !end.isGraceful, end.code != .sessionLost || self.core.peer != nil {
            self.logger.info(
                "session ended",
                metadata: [
                    "code": "\(end.code)", "reason": "\(end.reason)", "by": end.isByPeer ? "peer" : "us",
                ]
            )
        }
        // Nothing more goes out: the writes that wait for it fail, also where there is still something to be read.
        let promising = self.promising
        self.promising = []
        for stream in promising { stream.failPromises(ChannelError.ioOnClosedChannel) }
        self.delegate?.sessionDidEnd(self, end: end)
        guard let context, self.closing == .open else { return }
        if end.code == .keepaliveTimeout || end.code == .sessionLost {
            self.closing = .closed
            return context.close(promise: nil)
        }
        let code = end.isGraceful ? WebSocketCloseCode.goingAway : WebSocketCloseCode(session: end.code.rawValue)
        self.startClosing(code, patience: end.isGraceful ? .seconds(3) : .seconds(1))
    }

    func webSocketFailed(_ violation: WebSocketViolation) {
        guard self.closing == .open else { return }
        let reason = "WebSocket: \(violation.reason)"
        self.core.transportFailed(
            violation.closeCode == .messageTooBig
                ? ProtocolViolation(exceeding: .messageSize, reason) : ProtocolViolation(.protocolError, reason)
        )
        // After the core has ended only GOAWAY is left to write, not what the streams have queued.
        self.startClosing(violation.closeCode, patience: .seconds(1))
    }

    /// Sends what is left, then Close, and gives the peer a moment to answer.
    func startClosing(_ code: WebSocketCloseCode, patience: TimeAmount) {
        guard let context, self.closing == .open else { return }
        self.writeOutput(limit: .max)
        self.closing = .closeSent
        self.writeWebSocketFrame { $0.encodeClose(code, into: &$1) }
        context.flush()
        let channel = context.channel
        context.eventLoop.scheduleTask(in: patience) { channel.close(promise: nil) }
    }

    /// The peer's Close came.
    private func finishClosing(answering code: WebSocketCloseCode?) {
        guard let context else { return }
        if self.closing == .open {
            self.closing = .closeSent
            self.writeWebSocketFrame { $0.encodeClose(code, into: &$1) }
            context.flush()
        }
        self.core.connectionLost(reason: "the peer closed the WebSocket" + (code.map { " (\($0.rawValue))" } ?? ""))
        self.closing = .closed
        context.close(promise: nil)
    }

    func connectionEnded(_ reason: String) {
        self.closing = .closed
        self.tickTask?.cancel()
        self.tickTask = nil
        self.core.connectionLost(reason: reason)
        self.dispatchEvents()
    }

    var isOpen: Bool { self.closing == .open }
}
