// SPDX-License-Identifier: Apache-2.0

/// One request and its response, and what each event means for the two connections (design: data plane, steps 5 to 8).
///
/// | request \ response | awaiting head        | body                        | complete                              |
/// |--------------------|----------------------|-----------------------------|---------------------------------------|
/// | body               | upload, no answer yet | early response, full duplex | upload goes on unless a side is to close |
/// | complete           | waiting              | download                    | over: next request or close           |
/// | raw (after 101)    |                      | bytes both ways             | over                                  |
///
/// Whoever fails before the visitor has seen a byte of the response gets an answer of the edge, or another try; after
/// that the visitor's connection is cut so that the response can't be taken for complete.
struct ExchangeState {
    /// What of the request matters for the rest of the exchange.
    struct Request: Equatable {
        var isHead = false
        var isIdempotent = true
        var version = HTTPVersion.http11
        var isKeepAlive = true
        /// Whether the visitor asks for another protocol.
        var isUpgrade = false
        /// Whether the origin is asked for it, too.
        var passesUpgrade = false
        var expectsContinue = false
    }

    enum RequestHalf: Equatable {
        case body
        case complete
        case raw
    }

    enum ResponseHalf: Equatable {
        case awaitingHead
        case body
        case complete
    }

    let request: Request
    /// Whether the visitor sends nothing after this request: it has no body, and wants the connection closed.
    let isVisitorsLast: Bool
    private(set) var requestHalf: RequestHalf
    private(set) var responseHalf = ResponseHalf.awaitingHead
    /// Whether bytes of the request's body have gone to the origin: they can't be sent again.
    private(set) var hasSentBody = false
    /// Whether any byte of a response came, even if not a whole head.
    private(set) var hasResponseBytes = false
    private var hasContinued = false
    private var originKeepsAlive = true
    private var visitorKeepsAlive: Bool
    private var attempts = 1

    init(request: Request, hasBody: Bool) {
        self.request = request
        self.isVisitorsLast = !hasBody && !request.isKeepAlive && !request.isUpgrade
        self.requestHalf = hasBody ? .body : .complete
        self.visitorKeepsAlive = request.isKeepAlive
    }

    /// Whether the visitor has seen nothing of a final response.
    var isUnanswered: Bool { self.responseHalf == .awaitingHead }

    /// Whose turn it is, and whose time therefore runs.
    enum Turn: Equatable {
        /// The visitor's, to send more of its body.
        case visitor
        /// The origin's, to begin its response.
        case origin
        /// Nobody's in particular: a response may be silent for as long as it likes.
        case neither
    }

    var turn: Turn {
        switch (self.requestHalf, self.responseHalf) {
        case (.body, .awaitingHead):
            // A visitor who waits for 100 waits for the origin.
            self.request.expectsContinue && !self.hasContinued && !self.hasSentBody ? .origin : .visitor
        case (.body, _): .visitor
        case (.complete, .awaitingHead): .origin
        case (.complete, _), (.raw, _): .neither
        }
    }

    var isOver: Bool { self.requestHalf == .complete && self.responseHalf == .complete }

    /// Whether the request may go to an origin connection that has served another: one that the origin may be closing
    /// this moment, so that the request must be one that can be sent again.
    var mayReuseStream: Bool {
        self.request.isIdempotent && self.requestHalf == .complete && !self.request.isUpgrade && self.attempts == 1
    }

    // MARK: The request

    mutating func sentBody() {
        self.hasSentBody = true
    }

    mutating func completedRequest() {
        self.requestHalf = .complete
    }

    /// The visitor can't send the rest of its body in a way that the origin would take.
    mutating func abandonedRequest() {
        self.requestHalf = .complete
        self.visitorKeepsAlive = false
        self.originKeepsAlive = false
    }

    // MARK: The response

    mutating func receivedBytes() {
        self.hasResponseBytes = true
    }

    /// What to do with a head.
    enum HeadAction: Equatable {
        /// Pass on an interim response.
        case forwardInterim
        /// Drop it: HTTP/1.0 visitors know no interim responses.
        case dropInterim
        /// Pass on the 101; everything after it is bytes.
        case upgrade
        /// Pass on the final head; its body is framed so for the origin and so for the visitor.
        case final(BodyFraming, ResponseRewrite.Framing, ResponseRewrite.Connection)
    }

    /// Takes a head of the origin's.
    ///
    /// - Throws: ``HTTPFault`` for one that makes no sense at this place.
    mutating func received(_ head: ResponseHead) throws(HTTPFault) -> HeadAction {
        if head.status == 101 {
            guard self.request.passesUpgrade else { throw .malformed("a 101 that nobody asked for") }
            guard self.requestHalf == .complete else { throw .malformed("a 101 before the end of the request") }
            self.requestHalf = .raw
            self.responseHalf = .body
            return .upgrade
        }
        if head.isInformational {
            if head.status == 100 { self.hasContinued = true }
            return self.request.version == .http10 ? .dropInterim : .forwardInterim
        }
        let framing = try BodyFraming.response(
            head.section,
            status: head.status,
            version: head.version,
            isHead: self.request.isHead
        )
        self.responseHalf = .body
        self.originKeepsAlive = head.isKeepAlive && framing != .untilClose
        // RFC 9931: what a client sent after a refused upgrade must not be read as a request.
        if self.request.isUpgrade { self.visitorKeepsAlive = false }
        // A client that waits for 100 and gets a final status sends no body: what would follow is ambiguous.
        if self.request.expectsContinue, !self.hasContinued, self.requestHalf == .body {
            self.visitorKeepsAlive = false
        }
        // An origin that is about to close takes no rest of a body.
        if self.requestHalf == .body, !self.originKeepsAlive { self.visitorKeepsAlive = false }
        let visitorFraming = self.framing(for: framing, head)
        return .final(framing, visitorFraming, self.connection(for: visitorFraming))
    }

    private func framing(for framing: BodyFraming, _ head: ResponseHead) -> ResponseRewrite.Framing {
        switch (framing, self.request.version) {
        case (.untilClose, .http11): .chunked
        // Also where there is no body, as for HEAD: the coding would be news to an HTTP/1.0 visitor.
        case (_, .http10) where framing == .untilClose || head.section.contains(.transferEncoding): .untilClose
        default: .asReceived
        }
    }

    private mutating func connection(for framing: ResponseRewrite.Framing) -> ResponseRewrite.Connection {
        if framing == .untilClose { self.visitorKeepsAlive = false }
        guard self.visitorKeepsAlive else { return .close }
        return self.request.version == .http10 ? .keepAlive : .kept
    }

    mutating func completedResponse() {
        self.responseHalf = .complete
    }

    // MARK: The end

    /// What becomes of the two connections.
    enum Outcome: Equatable {
        /// The response is out; the visitor still sends its body, which goes on to the origin.
        case finishUpload
        /// Over.
        case over(reuseStream: Bool, keepVisitor: Bool)
    }

    /// What follows when the response is complete, or the request is after it.
    func outcome() -> Outcome {
        guard self.requestHalf != .raw else { return .over(reuseStream: false, keepVisitor: false) }
        if self.requestHalf == .body {
            // An upload goes on only if both sides mean to go on after it.
            guard self.originKeepsAlive, self.visitorKeepsAlive else {
                return .over(reuseStream: false, keepVisitor: false)
            }
            return .finishUpload
        }
        return .over(reuseStream: self.originKeepsAlive, keepVisitor: self.visitorKeepsAlive)
    }

    /// What a failure of the stream means.
    enum FailureAction: Equatable {
        /// Send the request once more, on a new stream.
        case retry
        /// Answer with an error.
        case answer
        /// Cut the visitor's connection: a part of the response is out.
        case cut
        /// The response is complete; only the rest of the upload is lost.
        case over
    }

    /// Whether a request that the connector can't pass on any more met a connection that the origin was just closing.
    ///
    /// The connector says so at once, and ends the stream only when what the origin may have answered has had time to
    /// be read. A request that may be sent again need not wait for that.
    ///
    /// - Parameter isReused: Whether the stream had served another request.
    func isLostOnUsedConnection(isReused: Bool) -> Bool {
        isReused && self.mayReuseStream && self.isUnanswered && !self.hasResponseBytes
    }

    /// Decides on a failure.
    ///
    /// - Parameters:
    ///   - isReused: Whether the stream had served another request.
    ///   - isUnsent: Whether it is certain that the origin saw nothing, and another session may do better.
    mutating func failed(isReused: Bool, isUnsent: Bool) -> FailureAction {
        switch self.responseHalf {
        case .complete: return .over
        case .body: return .cut
        case .awaitingHead: break
        }
        let isHarmless = isUnsent || (isReused && (self.request.isIdempotent || !self.hasSentBody))
        guard isHarmless, !self.hasSentBody, !self.hasResponseBytes, self.attempts < 2 else { return .answer }
        self.attempts += 1
        return .retry
    }
}

extension RequestHead {
    /// What of the head matters for the exchange.
    ///
    /// - Parameter passesUpgrade: Whether the origin is asked for the protocol that the visitor asks for.
    func exchangeRequest(passesUpgrade: Bool) -> ExchangeState.Request {
        ExchangeState.Request(
            isHead: self.isHead,
            isIdempotent: self.isIdempotent,
            version: self.version,
            isKeepAlive: self.isKeepAlive,
            isUpgrade: self.isUpgrade,
            passesUpgrade: passesUpgrade,
            expectsContinue: self.version == .http11 && self.section.tokens(.expect).contains("100-continue")
        )
    }

    /// Whether the request may be sent twice (RFC 9110 §9.2.2).
    private var isIdempotent: Bool {
        switch self.methodText {
        case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE": true
        default: false
        }
    }
}
