// SPDX-License-Identifier: Apache-2.0
import EdgeTunnels
import HTTP1
import Mux
import NIOCore

/// One visitor's connection: reads requests, gives each to whoever answers it, and writes the answers in order.
///
/// ``VisitorConnectionState`` says what each event means and ``ConnectionDeadlines`` how long what may take; this class
/// does it, and knows of the socket. All of it happens on the channel's event loop. After every event ``settle()`` takes
/// what came, sends what was written, and asks for more.
package final class VisitorConnection: ChannelInboundHandler, RemovableChannelHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    private let services: ProxyServices
    /// Where the connection comes from, as a load balancer in front says; `nil` for where the socket does.
    private let source: SocketAddress?
    /// The address of ``source`` or the socket, once a request has come.
    private lazy var peer = IPAddress(self.source ?? self.context?.channel.remoteAddress)
    private var context: ChannelHandlerContext?
    private var state = VisitorConnectionState()
    private var input: VisitorInput
    private(set) var responder: (any Responder)?
    private var place: VisitorPlace?
    /// The connection to an origin that nobody else may use.
    private var boundOrigin: BoundOrigin?
    /// The connection's place among all, which decides what it may ask for.
    private let connectionPlace: ConnectionPlace?
    private var unfinished = UnfinishedRequests.Share()

    // The socket.
    private var isReadOutstanding = false
    private var hasReadFailed = false
    private let output = VisitorOutput()
    /// Whether the responder was given bytes since it was last told that this was all.
    private var hasGivenBytes = false

    private var isProcessing = false
    private var isSettling = false
    private var needsSettling = false

    private var deadlines: ConnectionDeadlines
    private var timer: NIOScheduledCallback?

    /// What a connection whose request is complete may hold unread before nothing more is read, in bytes.
    private static let maximumUnread = 16 << 10

    /// - Parameters:
    ///   - services: What the listener works with.
    ///   - place: The connection's place among all; `nil` where they are not counted.
    ///   - source: Where the connection comes from, as a load balancer in front says; `nil` for where the socket does.
    package init(services: ProxyServices, place: ConnectionPlace? = nil, source: SocketAddress? = nil) {
        self.services = services
        self.source = source
        self.connectionPlace = place
        self.input = VisitorInput(services.settings)
        self.deadlines = ConnectionDeadlines(services.settings)
    }

    // MARK: Channel events

    package func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { self.start(context) }
    }

    package func channelActive(context: ChannelHandlerContext) {
        self.start(context)
    }

    private func start(_ context: ChannelHandlerContext) {
        self.place = VisitorPlace(self, on: context.eventLoop)
        let stage = self.services.connections.join(self, on: context.eventLoop)
        self.perform(self.state.entered(stage, hasUnread: false))
        self.settle()
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        self.timer?.cancel()
        self.timer = nil
        self.context = nil
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.input.receive(self.unwrapInboundIn(data))
        self.process()
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        self.isReadOutstanding = false
        self.settle()
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            // It has taken something: whatever it takes next has its time from the start.
            self.deadlines.restart()
            self.responder?.visitorTakesAgain()
        }
        self.settle()
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else { return }
        self.perform(self.state.inputEnded())
        self.settle()
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.hasReadFailed = true
        context.close(promise: nil)
    }

    package func channelInactive(context: ChannelHandlerContext) {
        self.giveLastBytes()
        self.leave()
        self.responder.take()?.visitorLeft(isBroken: self.hasReadFailed)
    }

    /// Gives the responder what it could not take before the channel closed.
    ///
    /// A channel closes at once when the visitor's end follows ours. The socket's buffer bounds how much is left.
    private func giveLastBytes() {
        guard self.state.phase == .raw, !self.hasReadFailed, !self.input.isEmpty else { return }
        self.responder?.received(self.input.takeAll())
    }

    /// The connection is over, or no longer a visitor's.
    private func leave() {
        self.state.closed()
        self.place = nil
        self.boundOrigin.take()?.discard()
        self.timer?.cancel()
        self.timer = nil
        self.services.connections.leave(self)
        self.updateHeldBytes()
    }

    // MARK: After every event

    /// Takes what came, sends what was written, asks for more and says what is waited for: whatever has happened.
    func settle() {
        guard !self.isSettling, !self.isProcessing else {
            self.needsSettling = true
            return
        }
        self.isSettling = true
        repeat {
            self.needsSettling = false
            self.process()
            if self.hasGivenBytes {
                self.hasGivenBytes = false
                self.responder?.completedRead()
            }
            self.output.flush(to: self.context)
            self.updateReading()
            self.updateDeadline()
        } while self.needsSettling
        self.input.shrink()
        self.updateHeldBytes()
        self.isSettling = false
    }

    private func perform(_ action: VisitorConnectionState.Action) {
        switch action {
        case .nothing: break
        case .tellInputEnd: self.responder?.inputEnded()
        case .tellLeaving: self.responder?.edgeLeaves()
        case .endOutput: self.closeOutput()
        case .close: self.context?.close(promise: nil)
        }
    }

    // MARK: Reading

    /// Takes as much of what came as the connection's state allows.
    private func process() {
        guard !self.isProcessing else { return }
        self.isProcessing = true
        while self.takeNext() {}
        self.isProcessing = false
    }

    /// Whether there may be more to take.
    private func takeNext() -> Bool {
        switch self.state.phase {
        case .head:
            // No answer is made while what was written before is not taken: a visitor who asks and never reads would
            // have them collect here.
            guard self.isWritable else { return false }
            return self.takeHead()
        case .body: return self.takeBody()
        case .raw: return self.takeBytes()
        case .awaitingAnswer: return false
        case .lingering, .closed:
            if !self.input.isEmpty { self.deadlines.dropped(now: self.now) }
            self.input.drop()
            return false
        }
    }

    private func takeHead() -> Bool {
        guard !self.input.isEmpty else { return self.ranDry() }
        do {
            guard let head = try self.input.takeHead() else { return self.ranDry() }
            self.begin(head)
        } catch {
            self.refuseHead(error)
        }
        return true
    }

    private func begin(_ head: RequestHead) {
        guard let request = self.makeRequest(head) else { return }
        self.deadlines.restart()
        self.state.began(request.traits)
        self.handOver(to: RequestDispatch(head: head, request: request).responder)
    }

    private func refuseHead(_ fault: HTTPFault) {
        // Too many cookies bring people here.
        let isHTML = fault.kind == .headTooLarge && self.input.isFromBrowser
        self.refuse(VisitorError(fault), detail: "\(fault.sentence).", isHTML: isHTML)
    }

    /// Answers and closes: what follows on the connection can't be understood, or won't come.
    private func refuse(_ error: VisitorError, detail: String? = nil, isHTML: Bool = false) {
        guard let request = self.makeRequest(nil) else { return }
        self.state.beganUnreadable()
        self.handOver(to: EdgeAnswer(request, .error(error, detail: detail), isHTML: isHTML))
    }

    private func makeRequest(_ head: RequestHead?) -> IncomingRequest? {
        guard let context else { return nil }
        return IncomingRequest(
            head,
            services: self.services,
            eventLoop: context.eventLoop,
            remoteAddress: self.source ?? context.channel.remoteAddress,
            peer: self.peer,
            place: self.place,
            boundOrigin: self.boundOrigin,
            connectionPlace: self.connectionPlace,
            spare: self.output.takeSpare()
        )
    }

    private func takeBody() -> Bool {
        guard let responder, responder.appetite > 0 else { return false }
        let bytes: ByteBuffer?
        do {
            bytes = try self.readBody(upTo: responder.appetite, contentOnly: !responder.takesFraming)
        } catch {
            responder.bodyFailed(error)
            return true
        }
        if let bytes { self.give(bytes, to: responder) }
        if self.input.isBodyComplete {
            guard self.state.phase == .body else { return true }
            self.state.completedBody()
            self.responder?.receivedEnd()
            return true
        }
        return bytes != nil || self.ranDry()
    }

    /// Takes what can be passed on of a body; `nil` until more comes.
    private func readBody(upTo limit: Int, contentOnly: Bool) throws(HTTPFault) -> ByteBuffer? {
        let before = self.input.count
        defer { self.schedule(self.deadlines.progressed(before - self.input.count, now: self.now)) }
        return try self.input.takeBody(upTo: limit, contentOnly: contentOnly)
    }

    private func takeBytes() -> Bool {
        guard !self.input.isEmpty else { return self.ranDry() }
        guard let responder, responder.appetite > 0 else { return false }
        if let bytes = self.input.takeBytes(upTo: responder.appetite) { self.give(bytes, to: responder) }
        return true
    }

    private func give(_ bytes: ByteBuffer, to responder: any Responder) {
        self.hasGivenBytes = true
        responder.received(bytes)
    }

    /// All that came is taken as far as it can be.
    private func ranDry() -> Bool {
        let action = self.state.ranDry()
        self.perform(action)
        return false
    }

    /// Asks the socket for more if there is a use for it.
    private func updateReading() {
        guard let context, !self.isReadOutstanding, self.wantsBytes else { return }
        self.isReadOutstanding = true
        context.read()
    }

    private var wantsBytes: Bool {
        switch self.state.phase {
        case .closed: false
        case .lingering: true
        case .head: self.isWritable
        // What is left unread here is an unfinished size line or trailer, which more bytes must complete.
        case .body, .raw: (self.responder?.appetite ?? 0) > 0
        // Nothing more is expected, but the end of the connection must be noticed.
        case .awaitingAnswer: self.input.count < Self.maximumUnread
        }
    }

    // MARK: Writing

    private func write(_ bytes: ByteBuffer) {
        self.state.wrote()
        self.output.write(bytes, to: self.context)
    }

    /// Closes our direction after what was written.
    private func closeOutput() {
        guard let context else { return }
        self.output.flush(to: self.context)
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in
            self.perform(self.state.outputEnded())
            // Whatever the visitor still sends, there is nothing more to be said.
            self.services.connections.leave(self)
            self.settle()
        }
        if self.state.hasInputEnded {
            // Closing the second side closes the channel, which drops what is queued: that goes first.
            context.writeAndFlush(self.wrapOutboundOut(ByteBuffer()), promise: promise)
        } else {
            context.close(mode: .output, promise: promise)
        }
    }

    private var now: NIODeadline { self.context?.eventLoop.now ?? .now() }
}

// MARK: - Time

extension VisitorConnection: NIOScheduledCallbackHandler {
    private func updateDeadline() {
        let kind = self.state.wait(
            hasUnread: !self.input.isEmpty,
            isWritable: self.isWritable,
            turn: self.responder?.turn ?? .neither
        )
        self.schedule(self.deadlines.wait(for: kind, now: self.now))
    }

    private func schedule(_ time: NIODeadline?) {
        guard let time, let context else { return }
        self.timer?.cancel()
        // A callback rather than a task: nobody needs a future of each. An event loop that takes none is shutting down.
        self.timer = try? context.eventLoop.assumeIsolated().scheduleCallback(at: time, handler: self)
    }

    package func handleScheduledCallback(eventLoop: some EventLoop) {
        self.timer = nil
        switch self.deadlines.fired(now: eventLoop.now) {
        case .nothing: return
        case .schedule(let time): return self.schedule(time)
        case .passed(let kind): self.deadlinePassed(kind)
        }
        self.settle()
    }

    private func deadlinePassed(_ kind: ConnectionDeadlines.Kind) {
        switch kind {
        case .idle, .firstRequest: self.perform(self.state.idledOut())
        case .head: self.refuse(.requestTimeout)
        case .body, .upload, .response: self.responder?.deadlinePassed(kind)
        case .stalledDownload: self.abort(withReset: true)
        case .halfClosed: self.perform(self.state.examinedHalfClose(hasQueued: self.context?.hasQueuedBytes ?? false))
        case .lingering, .unreadUpload: self.context?.close(promise: nil)
        }
    }
}

// MARK: - The listener

extension VisitorConnection: VisitorConnectionMember {
    package func listenerEntered(_ stage: VisitorConnections.Stage) {
        self.perform(self.state.entered(stage, hasUnread: !self.input.isEmpty))
        self.settle()
    }
}

// MARK: - What the responder says

extension VisitorConnection: ResponseSink {
    var isWritable: Bool { self.context?.channel.isWritable ?? false }
    var stage: VisitorConnections.Stage { self.state.stage }

    func decide(_ answer: VisitorConnectionState.Answer) -> ResponseRewrite.Connection {
        self.state.decide(answer)
    }

    func bind(_ origin: BoundOrigin) { self.boundOrigin = origin.replacing(self.boundOrigin) }

    func originAnsweredInterim() { self.deadlines.originAnsweredInterim() }

    func head(_ bytes: ByteBuffer) {
        self.state.wrote()
        self.output.writeHead(bytes, to: self.context)
    }

    func body(_ bytes: ByteBuffer) {
        self.write(bytes)
        // Where both directions are at work, either is progress.
        self.schedule(self.deadlines.progressed(bytes.readableBytes, now: self.now))
    }

    func flush() { self.settle() }

    func end() {
        self.responder = nil
        self.deadlines.restart()
        self.perform(self.state.answered(hasUnread: !self.input.isEmpty))
        self.settle()
    }

    func switchProtocols() {
        self.state.switchedProtocols()
        self.settle()
        self.output.endHeads()
    }

    func endOutput() {
        self.perform(self.state.endsOutput())
        self.settle()
    }

    func abort(withReset: Bool) {
        self.output.flush(to: self.context)
        self.state.closed()
        // Where the deadline has passed the responder has yet to be told.
        self.responder.take()?.visitorLeft(isBroken: true)
        self.input.drop()
        self.updateHeldBytes()
        guard let context else { return }
        if withReset { context.channel.closeWithReset() } else { context.close(promise: nil) }
    }

    func wantsInput() { self.settle() }

    func ignoresInput() {
        self.state.abandonedBody()
        self.settle()
    }

    func handOver(to responder: any Responder) {
        self.responder = responder
        responder.begin(self)
        self.settle()
    }

    func upgrade(_ head: ByteBuffer, _ makeHandler: (any Channel) -> any ChannelHandler) {
        guard let context else { return }
        self.responder = nil
        self.write(head)
        self.output.flush(to: self.context)
        self.leave()
        self.connectionPlace?.becomesConnector()
        // A WebSocket has no half-close. With one allowed, an end that a write finds first meets an assertion of NIO's.
        try? context.channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: false)
        context.handOver(from: self, to: makeHandler(context.channel), self.input.takeAll())
    }
}

// MARK: - Giving way

extension VisitorConnection: UnfinishedRequestHolder {
    private func updateHeldBytes() {
        let isOver = self.state.phase == .closed
        let bytes = isOver ? 0 : self.input.heldBytes + (self.responder?.heldBytes ?? 0)
        guard !self.unfinished.isUnchanged(by: bytes), let context else { return }
        self.services.unfinished.hold(bytes, &self.unfinished, self, on: context.eventLoop)
    }

    func givesWayToOthers() {
        let detail = "The edge holds as much of unfinished requests as it may, and this one was the oldest."
        switch self.state.phase {
        case .head where self.isWritable: self.refuse(.tooManyConnections, detail: detail)
        case .head: self.abort(withReset: true)
        case .body, .awaitingAnswer, .raw: self.responder?.giveWay(.tooManyConnections, detail: detail)
        case .lingering, .closed: break
        }
        self.settle()
    }
}
