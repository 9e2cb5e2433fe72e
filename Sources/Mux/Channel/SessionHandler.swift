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
    /// The connection below.
    var transport = SessionTransport.none
    /// What the connection that the handler is in the pipeline of is for.
    var arrival = Arrival.settled
    /// The event loop of the session, and the channel of its first connection, once there is one.
    var eventLoop: (any EventLoop)?
    var firstChannel: (any Channel)?
    /// The handler itself, while nothing else may hold it.
    var retained: SessionHandler?
    var decoder: WebSocketDecoder
    var encoder: WebSocketEncoder
    private(set) weak var delegate: (any SessionDelegate)?
    let logger: Logger
    private let acceptStream: ((StreamChannel) -> Void)?
    /// The stream channels by the slot of their stream.
    private var channels: ContiguousArray<StreamChannel?> = []
    /// Streams that were given bytes in this batch and are owed a read-complete.
    private var touched: [StreamChannel] = []
    /// Empty: the memory of the list before.
    private var spareTouched: [StreamChannel] = []
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
    var messageLength = MessageLength()
    var unwritableSince: NIODeadline?
    /// What the delegate was last told.
    private var toldSuspect = false
    private var toldSilent = false
    var closing = Closing.open

    enum Closing {
        case open
        /// The Close frame is out; the peer's is awaited.
        case closeSent
        case closed
    }

    /// Makes a handler for one session.
    ///
    /// - Parameters:
    ///   - configuration: What this side brings along.
    ///   - purpose: What the connection is for: a new session, or perhaps one that has lost its connection.
    ///   - delegate: Is told what happens to the session; held weakly.
    ///   - logger: Gets one line at the end of a session that went wrong.
    ///   - acceptStream: Called for each stream that the peer opens. It adds handlers at once and accepts or rejects
    ///     the stream, then or later. Without it every stream is rejected.
    public init(
        configuration: SessionConfiguration,
        purpose: ConnectionPurpose = .newSession,
        delegate: (any SessionDelegate)? = nil,
        logger: Logger = Logger(label: "culvert.mux"),
        acceptStream: ((StreamChannel) -> Void)? = nil
    ) {
        var configuration = configuration
        if configuration.role == .edge, configuration.capabilities.contains(.resume) {
            configuration.settings.sessionID = (0..<16).map { _ in UInt8.random(in: .min ... .max) }
            configuration.settings.resumeKey = ResumeKey()
        }
        switch purpose {
        case .newSession: break
        case .resume(let session):
            configuration.settings.resume = session.core.resumeRequest
            self.arrival = .resuming(session)
        case .resumeOrNew(let find): self.arrival = .asking(find: find)
        }
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
    /// Whether the peer has left a question of this side unanswered for that long, rather than only been asked.
    public var isSilent: Bool { self.core.isSilent }
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
    /// The channel of the session's first connection.
    public var channel: (any Channel)? { self.firstChannel }
    /// The handler's place in the pipeline, while its own connection is that of a session.
    var context: ChannelHandlerContext? {
        if case .own(let context) = self.transport { context } else { nil }
    }

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
        guard let parent = self.firstChannel else { throw OpenError.sessionUnavailable }
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

    /// Tells the delegate, and behind it streams, once a silence: by then whoever looks for another session finds no silent
    /// one.
    private func tellSuspicion() {
        let (isSuspect, isSilent) = (self.core.isSuspect, self.core.isSilent)
        guard isSuspect != self.toldSuspect || isSilent != self.toldSilent else { return }
        let isNewSilence = isSilent && !self.toldSilent
        (self.toldSuspect, self.toldSilent) = (isSuspect, isSilent)
        self.delegate?.sessionSuspicionDidChange(self)
        if isNewSilence { self.tellStreams(.peerIsSilent) }
    }

    /// Tells the streams that this side has opened.
    private func tellStreams(_ event: StreamEvent) {
        // Handlers that are told may end streams, and open others.
        for stream in self.channels.compactMap({ $0 }) where stream.opening == nil {
            stream.pipeline.fireUserInboundEventTriggered(event)
        }
    }

    func start() {
        self.pump()
        self.scheduleTick()
    }

    func receive(_ element: WebSocketDecoder.Element, now: NIODeadline) {
        switch element {
        case .binary(let message):
            if case .settled = self.arrival {
                self.core.receive(message, now: now)
            } else {
                self.arrived(message, now: now)
            }
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
    /// nothing of it was delivered. One that is relayed is reset, since something of it may have been.
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
            let isUndelivered = stream.isUnanswered && !stream.isRelaying
            stream.reset(code: isUndelivered ? .draining : code, reason: reason, telling: error)
        }
    }

    /// Tells the streams of a group, as ``StreamEvent/peerIsSilent`` does, that nothing comes from whoever serves them: for
    /// when the peer, which only passes them on, has said so.
    ///
    /// - Parameter group: Whose streams.
    public func fellSilent(_ group: StreamGroup) {
        // Handlers that are told may end streams, and open others.
        for stream in self.channels.compactMap({ $0 }) where stream.group === group && stream.opening == nil {
            stream.pipeline.fireUserInboundEventTriggered(StreamEvent.peerIsSilent)
        }
    }

    /// Tells the streams that this side has opened that the peer is not waited for any more
    /// (``StreamEvent/peerIsGivenUp``); the session goes on.
    public func giveUpPeer() {
        self.tellStreams(.peerIsGivenUp)
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
        case .suspended(let reason): self.suspended(reason)
        case .unresponsive(let reason): self.unresponsive(reason)
        case .ended(let end): self.ended(end)
        }
    }

    private func accept(_ key: StreamKey, _ opening: OpenFrame) {
        guard let parent = self.firstChannel, let acceptStream = self.acceptStream else {
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
            // Handlers that are told may cause further reads, and end up here again.
            var touched = self.spareTouched
            self.spareTouched = []
            swap(&touched, &self.touched)
            for stream in touched { stream.completeRead() }
            touched.removeAll(keepingCapacity: true)
            self.spareTouched = touched
            guard !self.isDispatching else { return }
            self.isDispatching = true
            while let event = self.core.nextEvent() { self.dispatch(event) }
            self.isDispatching = false
        }
    }
}
