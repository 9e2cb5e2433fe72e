// SPDX-License-Identifier: Apache-2.0
import EdgeTunnels
import HTTP1
import Mux
import NIOCore
import Protocol

/// A request and its response on their way between a visitor and the origin.
///
/// ``ExchangeState`` says what each event means, the rewriting types how heads change; this class moves bytes between the
/// visitor's connection and the stream to the origin, on the visitor's event loop. Each time that the request is sent is
/// an exchange of its own, with the same ``IncomingRequest``.
final class Exchange {
    private let plan: ExchangePlan
    private let link: OriginLink
    /// The key of the origin connection that belongs to the visitor's, if there is one.
    private let owner: UInt64?
    private let session: TunnelSession
    private var outgoing: SentRequest
    private var state: ExchangeState
    /// `nil` once the exchange is over.
    private var sink: (any ResponseSink)?
    /// What the origin has sent and has not been passed on: at most an incomplete head or size line.
    private var fromOrigin = ByteBuffer()
    private var responseParser = HeadParser(maximumBytes: 256 << 10, maximumFields: 1_000)
    private var responseBody = BodyReader(.none)
    private var responseFraming = ResponseRewrite.Framing.asReceived
    /// The origin was not asked for more because the visitor takes nothing.
    private var isOriginPaused = false

    /// - Parameters:
    ///   - plan: What stays the same however often the request is sent.
    ///   - outgoing: What there is of the request.
    ///   - session: The session whose stream it takes.
    ///   - owner: The key of the origin connection on it that belongs to the visitor's, if there is one.
    init(_ plan: ExchangePlan, _ outgoing: SentRequest, on session: TunnelSession, owner: UInt64? = nil) {
        self.plan = plan
        self.outgoing = outgoing
        self.session = session
        self.owner = owner
        self.link = OriginLink(visitorLoop: plan.request.eventLoop, session: session, tunnel: plan.tunnel)
        self.state = ExchangeState(
            request: plan.request.traits,
            passesUpgrade: plan.passesUpgrade,
            protocols: plan.protocols,
            isComplete: outgoing.isComplete,
            hasSentBody: outgoing.bodyBytes > 0,
            attempt: outgoing.attempt
        )
    }

    private var request: IncomingRequest { self.plan.request }

    // MARK: The end

    /// What becomes of the exchange once a half of it is complete.
    private func conclude(_ outcome: ExchangeState.Outcome) {
        guard case .over(let reuseStream) = outcome, let sink = self.sink.take() else { return }
        // Whatever came behind the response, or is not read, makes the connection useless.
        let isReusable = self.plan.mayReuse && reuseStream && self.fromOrigin.readableBytes == 0
        if self.state.isBound || self.owner != nil {
            self.releaseBound(isReusable && self.state.visitorIsKept, sink)
        } else {
            self.link.release(reusable: isReusable, owner: nil)
        }
        self.request.finish()
        sink.end()
    }

    /// The origin may take whoever uses the connection next for this visitor: nobody else gets it.
    private func releaseBound(_ isReusable: Bool, _ sink: any ResponseSink) {
        let key = self.owner ?? BoundOrigin.makeKey()
        self.link.release(reusable: isReusable, owner: key)
        guard isReusable else { return }
        let address = self.request.visitor.address
        sink.bind(BoundOrigin(tunnel: self.plan.tunnel, session: self.session, key: key, address: address))
    }

    /// Answers with an error if nothing of a response is out, else cuts the connection.
    private func fail(_ error: VisitorError, detail: String?) {
        guard self.state.isUnanswered else { return self.cut(error) }
        self.handOver(to: EdgeAnswer(self.request, .error(error, detail: detail)))
    }

    private func handOver(to responder: any Responder) {
        guard let sink = self.sink.take() else { return }
        self.link.reset(.cancelled)
        sink.handOver(to: responder)
    }

    /// What is out of the response must not look complete.
    private func cut(_ error: VisitorError) {
        guard let sink = self.sink.take() else { return }
        self.link.reset(.cancelled)
        self.request.failed(error)
        self.request.finish()
        sink.abort(withReset: self.responseFraming == .untilClose || self.state.isRaw)
    }

    /// Both directions have ended: what is on its way still arrives.
    private func leave() {
        guard let sink = self.sink.take() else { return }
        self.link.leave()
        self.request.finish()
        sink.end()
    }
}

// MARK: - What comes from the visitor

extension Exchange: Responder {
    func begin(_ sink: any ResponseSink) {
        self.sink = sink
        self.link.open(
            request: self.outgoing.head,
            body: self.outgoing.body,
            metadata: self.plan.metadata(target: self.link.target),
            // The connector's own time-out must come first: it can tell what it waited for.
            connectTimeout: self.request.services.settings.connectTimeout + .seconds(5),
            mayReuse: self.plan.mayReuse && self.state.mayReuseStream,
            owner: self.owner,
            tellsAcceptance: self.request.traits.hasBody,
            to: self
        )
        self.request.forwarded(self.outgoing.head, over: self.session)
    }

    /// Until the connector takes the stream, no more than can be kept to be sent again.
    var appetite: Int {
        guard self.link.isWritable else { return 0 }
        return self.state.isRaw ? .max : self.outgoing.room
    }

    var turn: Turn { self.state.turn(responseTime: self.plan.responseTime) }

    var heldBytes: Int { self.outgoing.heldBytes + self.fromOrigin.readableBytes }

    func giveWay(_ error: VisitorError, detail: String) {
        self.fail(error, detail: detail)
    }

    func received(_ bytes: ByteBuffer) {
        if !self.state.isRaw {
            self.state.sentBody()
            self.outgoing.sent(bytes)
        }
        self.request.received(bytes)
        self.link.write(bytes)
    }

    func receivedEnd() {
        self.outgoing.complete()
        self.request.receivedEnd()
        self.link.flush()
        self.conclude(self.state.completedRequest())
    }

    func completedRead() {
        self.link.flush()
    }

    func bodyFailed(_ fault: HTTPFault) {
        self.sink?.ignoresInput()
        _ = self.state.abandonedRequest()
        self.fail(.badRequest, detail: "The body's \(fault.reason).")
    }

    func inputEnded() {
        switch self.state.visitorEnded() {
        case .finishOrigin: self.link.finish()
        case .leave:
            self.link.finish()
            self.leave()
        default: break
        }
    }

    func visitorTakesAgain() {
        guard self.isOriginPaused else { return }
        self.isOriginPaused = false
        self.link.read()
    }

    func deadlinePassed(_ kind: ConnectionDeadlines.Kind) {
        // Where the origin takes nothing the visitor can't send.
        if case .upload = kind, self.appetite > 0 { return self.fail(.requestTimeout, detail: nil) }
        self.fail(.originTimeout, detail: nil)
    }

    func gaveWay(_ ticket: VisitorTicket) {
        guard self.request.ticket == ticket else { return }
        self.fail(.tooManyFromVisitor, detail: nil)
    }

    func visitorLeft(isBroken: Bool) {
        guard self.sink.take() != nil else { return }
        switch self.state.visitorLeft(isBroken: isBroken) {
        case .leave: self.link.leave()
        default: self.link.reset(.cancelled)
        }
        self.request.finish()
    }
}

// MARK: - What comes from the origin

extension Exchange: OriginLinkConsumer {
    func originAccepted() {
        self.outgoing.accepted()
        self.request.seekRefuge(nil)
        self.sink?.wantsInput()
    }

    func originReceived(_ bytes: ByteBuffer) {
        guard self.sink != nil else { return }
        self.state.receivedBytes()
        // Behind a complete response it is only of interest that something came: the connection is not clean.
        if self.state.responseHalf == .complete {
            self.fromOrigin = bytes
        } else {
            self.fromOrigin.appendUnread(bytes)
        }
        self.forwardResponse()
    }

    func originCompletedRead() {
        guard let sink = self.sink else { return }
        self.fromOrigin.shrinkUnread()
        sink.flush()
        // After a complete response only the end of the connection is still of interest.
        if sink.isWritable || self.state.responseHalf == .complete {
            if self.sink != nil { self.link.read() }
        } else {
            self.isOriginPaused = true
        }
    }

    private func forwardResponse() {
        while let sink = self.sink, self.fromOrigin.readableBytes > 0 {
            switch self.state.responseHalf {
            case .awaitingHead:
                guard self.forwardHead(sink) else { return }
            case .body:
                guard self.forwardBody(sink) else { return }
            case .raw:
                let bytes = self.fromOrigin
                self.fromOrigin = ByteBuffer()
                self.request.sent(bytes)
                return sink.body(bytes)
            case .complete, .rawEnded: return
            }
        }
    }

    /// Whether a whole head was taken, and there may be more to pass on.
    private func forwardHead(_ sink: any ResponseSink) -> Bool {
        do {
            guard let head = try self.responseParser.response(&self.fromOrigin) else { return false }
            self.request.originAnswered()
            let action = try self.state.received(head)
            if head.isInformational, head.status > 101 { sink.originAnsweredInterim() }
            let rewrite = self.plan.rewrite
            switch action {
            case .dropInterim: break
            case .forwardInterim:
                self.send(
                    rewrite.head(head, framing: .asReceived, connection: .kept),
                    head.status,
                    isFinal: false,
                    sink
                )
            case .upgrade:
                let spare = self.outgoing.answered()
                let bytes = rewrite.head(head, framing: .asReceived, connection: .kept, spare: spare)
                self.send(bytes, head.status, isFinal: true, sink)
                sink.switchProtocols()
            case .final(let framing, let visitorFraming, let answer):
                let connection = sink.decide(answer)
                self.state.told(connection)
                self.responseBody = BodyReader(framing, isLenient: true)
                self.responseFraming = visitorFraming
                let bytes = rewrite.head(
                    head,
                    framing: visitorFraming,
                    connection: connection,
                    date: self.request.services.date,
                    spare: self.outgoing.answered()
                )
                self.send(bytes, head.status, isFinal: true, sink)
                if self.responseBody.isComplete { self.completeResponse(sink) }
            }
            return true
        } catch {
            self.invalidResponse(error)
            return false
        }
    }

    private func send(_ head: ByteBuffer, _ status: Int, isFinal: Bool, _ sink: any ResponseSink) {
        self.request.answered(head, status: status, isFinal: isFinal)
        sink.head(head)
    }

    /// Whether there may be more to pass on.
    private func forwardBody(_ sink: any ResponseSink) -> Bool {
        let framing = self.responseFraming
        do {
            // HTTP/1.0 visitors know no chunks: they get the content and the end of the connection.
            while let bytes = try self.responseBody.read(&self.fromOrigin, contentOnly: framing == .untilClose) {
                self.request.sent(bytes)
                self.write(bytes, framing, sink)
            }
        } catch {
            self.cut(.originInvalidResponse)
            return false
        }
        if self.responseBody.isComplete { self.completeResponse(sink) }
        return false
    }

    private func write(_ bytes: ByteBuffer, _ framing: ResponseRewrite.Framing, _ sink: any ResponseSink) {
        guard framing == .chunked else { return sink.body(bytes) }
        sink.body(ByteBuffer(string: String(bytes.readableBytes, radix: 16) + "\r\n"))
        sink.body(bytes)
        sink.body(ByteBuffer(string: "\r\n"))
    }

    private func completeResponse(_ sink: any ResponseSink) {
        if self.responseFraming == .chunked { sink.body(ByteBuffer(string: "0\r\n\r\n")) }
        self.conclude(self.state.completedResponse())
    }

    private func invalidResponse(_ fault: HTTPFault) {
        let looksLikeTLS = self.fromOrigin.readableBytesView.first.map { $0 == 0x15 || $0 == 0x16 } ?? false
        let detail =
            looksLikeTLS
            ? "The answer looks like TLS: forward to an https:// target."
            : "What was wrong: \(fault.reason)."
        self.fail(.originInvalidResponse, detail: detail)
    }

    // MARK: The end of the origin's side

    func originEnded() {
        guard let sink = self.sink else { return }
        switch self.state.originEnded() {
        case .fail: self.lost(.originClosed, detail: nil, ExchangeState.Failure(isReused: self.link.isReused))
        case .endBody:
            self.responseBody.connectionEnded()
            if self.responseBody.isComplete { self.completeResponse(sink) } else { self.cut(.originClosed) }
        // The upload has nowhere to go any more.
        case .over: self.conclude(self.state.abandonedRequest())
        case .finishVisitor: sink.endOutput()
        case .leave: self.leave()
        case .nothing, .finishOrigin, .resetOrigin: break
        }
    }

    func originFailed(_ failure: OriginLink.Failure) {
        switch failure {
        case .unavailable(let error):
            let isCapacity = error == .tooManyWaiting
            let failure = ExchangeState.Failure(
                isUndelivered: isCapacity || error == .sessionUnavailable,
                isCapacity: isCapacity
            )
            self.lost(isCapacity ? .tooManyStreams : .tunnelOffline, detail: nil, failure)
        case .stream(let error, let circumstances):
            let detail = error.origin == .rejected && !error.reason.isEmpty ? error.reason : nil
            let seen = VisitorError(error, wasAccepted: circumstances.wasAccepted)
            self.lost(seen, detail: detail, ExchangeState.Failure(error, circumstances))
        }
    }

    private func lost(_ error: VisitorError, detail: String?, _ failure: ExchangeState.Failure) {
        switch self.state.failed(failure, isRepeatable: self.outgoing.isWhole) {
        case .retry(let place, let mayWait):
            if !self.retry(at: place, mayWait: mayWait, isStillThere: failure.isCapacity || failure.isSilent) {
                self.give(up: error, detail, failure)
            }
        case .answer: self.give(up: error, detail, failure)
        case .cut: self.cut(error)
        case .over: self.conclude(self.state.abandonedRequest())
        case .leave: self.leave()
        }
    }

    private func give(up error: VisitorError, _ detail: String?, _ failure: ExchangeState.Failure) {
        if failure.isUnseen, let refuge = self.request.unreached(error) { return self.handOver(to: refuge) }
        self.fail(error, detail: self.explain(error, detail, failure))
    }

    /// Whether somebody goes on with the request.
    private func retry(at place: ExchangeState.Place, mayWait: Bool, isStillThere: Bool) -> Bool {
        var outgoing = self.outgoing
        switch place {
        case .anySession: outgoing.failed(on: [])
        case .otherSession:
            outgoing.failed(on: [self.link.sessionID])
            // A way to another edge that leads nowhere any more is not offered again.
            if !isStillThere { self.plan.tunnel.wasRefused(by: self.session) }
        case .otherConnector:
            outgoing.failed(on: self.plan.tunnel.sessionIDs(ofConnectorWith: self.link.sessionID))
        }
        let next: any Responder
        if let exchange = self.plan.exchange(for: outgoing) {
            next = exchange
        } else if mayWait {
            next = SessionWait(self.plan, outgoing)
        } else {
            return false
        }
        self.request.services.recorder.retried()
        self.handOver(to: next)
        return true
    }

    private func explain(_ error: VisitorError, _ detail: String?, _ failure: ExchangeState.Failure) -> String? {
        if let detail { return "The connector says: \(detail)\(detail.hasSuffix(".") ? "" : ".")" }
        // OpenSSL does so in most servers.
        guard error == .originClosed, !failure.isReused, !self.state.hasResponseBytes else { return nil }
        return "It sent nothing at all. A server that expects TLS does that: then forward to an https:// target."
    }

    func originStoppedReading(isReused: Bool) {
        if self.state.requestHalf == .body {
            // The response tells why; what the visitor still sends has no reader.
            self.outgoing.abandon()
            let outcome = self.state.abandonedRequest()
            self.sink?.ignoresInput()
            self.conclude(outcome)
        } else if self.state.isLostOnUsedConnection(isReused: isReused) {
            self.retryUnlessAnswered()
        }
    }

    /// Sends the request again if nothing of a response comes with what was read just now.
    private func retryUnlessAnswered() {
        let bound = NIOLoopBound(self, eventLoop: self.request.eventLoop)
        self.request.eventLoop.execute {
            let exchange = bound.value
            guard exchange.sink != nil, exchange.state.isLostOnUsedConnection(isReused: true) else { return }
            exchange.lost(.originClosed, detail: nil, ExchangeState.Failure(isReused: true))
        }
    }

    func originFellSilent(_ circumstances: OriginLink.Circumstances) {
        let mayLeave = self.state.mayLeaveSilence(
            isReused: circumstances.isReused,
            wasAccepted: circumstances.wasAccepted,
            isRepeatable: self.outgoing.isWhole
        )
        let tried = self.outgoing.tried + [self.link.sessionID]
        // Where there is no other session this one is waited for: it may go on as if nothing had been.
        guard self.sink != nil, mayLeave, self.plan.tunnel.hasReadySession(besides: tried) else { return }
        self.link.reset(.cancelled)
        self.lost(.sessionLost, detail: nil, ExchangeState.Failure(isLostUnaccepted: true, isSilent: true))
    }

    func originWasGivenUp(_ circumstances: OriginLink.Circumstances) {
        let isLost = self.state.isLostUntaken(isReused: circumstances.isReused, wasAccepted: circumstances.wasAccepted)
        guard self.sink != nil, isLost else { return }
        self.link.reset(.cancelled)
        self.lost(.sessionLost, detail: nil, ExchangeState.Failure(isLostUnaccepted: true, isSilent: true))
    }

    func originWritabilityChanged() {
        guard self.link.isWritable else { return }
        self.sink?.wantsInput()
    }
}
