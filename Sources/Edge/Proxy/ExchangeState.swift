// SPDX-License-Identifier: Apache-2.0
import HTTP1

/// One request and its response, and what each event means for the two connections.
///
/// | request \ response | awaiting head         | body                        | complete                              | raw, rawEnded |
/// |--------------------|-----------------------|-----------------------------|---------------------------------------|---|
/// | body               | upload, no answer yet | early response, full duplex | upload goes on unless a side is to close | |
/// | complete           | waiting               | download                    | over                                  | |
/// | raw, rawEnded      |                       |                             |                                       | bytes, each direction until it ends |
///
/// Whoever fails before the visitor has seen a byte of the response gets an answer of the edge, or another try; after
/// that the visitor's connection is cut so that the response can't be taken for complete.
struct ExchangeState {
    enum RequestHalf: Equatable {
        case body
        case complete
        /// Bytes, after a 101.
        case raw
        case rawEnded
    }

    enum ResponseHalf: Equatable {
        case awaitingHead
        case body
        case complete
        /// Bytes, after a 101.
        case raw
        case rawEnded
    }

    let request: RequestTraits
    /// Whether the origin is asked for another protocol.
    let passesUpgrade: Bool
    /// The protocols that it is asked for, in lower case.
    private let protocols: [String]
    private(set) var requestHalf: RequestHalf
    private(set) var responseHalf = ResponseHalf.awaitingHead
    /// Whether bytes of the request's body have gone to the origin's stream.
    private(set) var hasSentBody = false
    /// Whether any byte of a response came, even if not a whole head.
    private(set) var hasResponseBytes = false
    private var hasContinued = false
    private var originKeepsAlive = true
    /// Whether the visitor was told that its connection goes on.
    private(set) var visitorIsKept = false
    /// Whether the origin authenticates the connection instead of each request, or may be about to (RFC 4559 §6).
    private(set) var isBound: Bool
    /// How often the request has been sent, this time included.
    let attempt: Int

    /// - Parameters:
    ///   - request: The request.
    ///   - passesUpgrade: Whether the origin is asked for the protocol that the visitor asks for.
    ///   - protocols: What these protocols are, in lower case.
    ///   - isComplete: Whether the whole body is there already, be it that there is none.
    ///   - hasSentBody: Whether bytes of the body are sent with the head.
    ///   - attempt: How often the request has been sent, this time included.
    init(
        request: RequestTraits,
        passesUpgrade: Bool = false,
        protocols: [String] = ["websocket"],
        isComplete: Bool? = nil,
        hasSentBody: Bool = false,
        attempt: Int = 1
    ) {
        self.request = request
        self.passesUpgrade = passesUpgrade
        self.protocols = protocols
        self.requestHalf = isComplete ?? !request.hasBody ? .complete : .body
        self.hasSentBody = hasSentBody
        self.isBound = request.bindsConnection
        self.attempt = attempt
    }

    /// Whether the visitor has seen nothing of a final response.
    var isUnanswered: Bool { self.responseHalf == .awaitingHead }

    /// Whether both directions are bytes.
    var isRaw: Bool { self.responseHalf == .raw || self.responseHalf == .rawEnded }

    var isOver: Bool {
        switch (self.requestHalf, self.responseHalf) {
        case (.complete, .complete), (.rawEnded, .rawEnded): true
        default: false
        }
    }

    /// Whether the request may go to an origin connection that has served another: one that the origin may be closing
    /// this moment, so that the request must be one that can be sent again.
    var mayReuseStream: Bool {
        self.request.isIdempotent && self.requestHalf == .complete && !self.hasSentBody && !self.request.isUpgrade
            && self.attempt == 1
    }

    /// What an upload has to bring in its time to get more, in bytes, until the origin begins to answer: a visitor who
    /// sends a byte now and then only wants to keep a connection busy.
    ///
    /// In the 60 s that are the default, a sensor that sends a byte a second brings more.
    static let minimumProgress = 16

    /// Whose turn it is, and whose time therefore runs.
    ///
    /// - Parameter responseTime: How long the origin has for its head.
    func turn(responseTime: ConnectionDeadlines.Time) -> Turn {
        switch (self.requestHalf, self.responseHalf) {
        case (.body, .awaitingHead):
            // A visitor who waits for 100 waits for the origin.
            self.request.expectsContinue && !self.hasContinued && !self.hasSentBody
                ? .origin(responseTime) : .visitor(minimum: Self.minimumProgress)
        case (.body, _): .visitor(minimum: 1)
        case (.complete, .awaitingHead): .origin(responseTime)
        case (.complete, _), (.raw, _), (.rawEnded, _): .neither
        }
    }

    // MARK: The request

    mutating func sentBody() {
        self.hasSentBody = true
    }

    /// The request is complete.
    ///
    /// - Returns: What follows, if the response is complete, too.
    mutating func completedRequest() -> Outcome {
        guard self.requestHalf == .body else { return .goOn }
        self.requestHalf = .complete
        return self.outcome
    }

    /// The visitor can't send the rest of its body in a way that the origin would take.
    mutating func abandonedRequest() -> Outcome {
        self.requestHalf = .complete
        self.originKeepsAlive = false
        return self.outcome
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
        /// Pass on the final head, once the connection has said what becomes of it; the body is framed so for the origin
        /// and so for the visitor.
        case final(BodyFraming, ResponseRewrite.Framing, VisitorConnectionState.Answer)
    }

    /// Takes a head of the origin's.
    ///
    /// - Throws: ``HTTPFault`` for one that makes no sense at this place.
    mutating func received(_ head: ResponseHead) throws(HTTPFault) -> HeadAction {
        if head.status == 101 {
            guard self.passesUpgrade else { throw .malformed("a 101 that nobody asked for") }
            guard self.requestHalf == .complete else { throw .malformed("a 101 before the end of the request") }
            // RFC 9110 §7.8: nothing is switched to that was not asked for, whatever would be refused if it were.
            guard head.section.tokens(.upgrade, atMost: 16)?.allSatisfy(self.protocols.contains) ?? false else {
                throw .malformed("a 101 to a protocol that nobody asked for")
            }
            self.requestHalf = .raw
            self.responseHalf = .raw
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
        self.isBound =
            self.isBound || head.section.bindsConnection(.wwwAuthenticate) || head.section.contains(.persistentAuth)
        let isClear = !head.section.contains(.contentLength) || !head.section.contains(.transferEncoding)
        self.originKeepsAlive = self.originKeepsAlive && head.isKeepAlive && framing != .untilClose && isClear
        let visitorFraming = self.framing(for: framing, head)
        let answer = VisitorConnectionState.Answer(
            author: .origin,
            isDelimited: visitorFraming != .untilClose,
            takesRest: self.takesRest
        )
        return .final(framing, visitorFraming, answer)
    }

    /// Whether the rest of the request's body is taken after the response has begun.
    ///
    /// An origin that is about to close takes none. A client that waits for 100 and gets a final status sends no body:
    /// what would follow is ambiguous.
    private var takesRest: Bool {
        self.requestHalf == .body && self.originKeepsAlive && !(self.request.expectsContinue && !self.hasContinued)
    }

    private func framing(for framing: BodyFraming, _ head: ResponseHead) -> ResponseRewrite.Framing {
        switch (framing, self.request.version) {
        case (.untilClose, .http11): .chunked
        // Also where there is no body, as for HEAD: the coding would be news to an HTTP/1.0 visitor.
        case (_, .http10) where framing == .untilClose || head.section.contains(.transferEncoding): .untilClose
        default: .asReceived
        }
    }

    /// The visitor is told what becomes of its connection.
    mutating func told(_ connection: ResponseRewrite.Connection) {
        self.visitorIsKept = connection != .close
    }

    /// The response is complete.
    mutating func completedResponse() -> Outcome {
        self.responseHalf = .complete
        return self.outcome
    }

    // MARK: The end

    /// What becomes of the exchange.
    enum Outcome: Equatable {
        /// It goes on: a half of it is not complete.
        case goOn
        /// Both halves are complete, or the visitor's connection is closed with the response.
        case over(reuseStream: Bool)
    }

    private var outcome: Outcome {
        switch (self.requestHalf, self.responseHalf) {
        case (.complete, .complete): .over(reuseStream: self.originKeepsAlive)
        // An upload goes on only if both sides mean to go on after it.
        case (.body, .complete): self.originKeepsAlive && self.visitorIsKept ? .goOn : .over(reuseStream: false)
        default: .goOn
        }
    }

    /// What follows when one side has sent its last byte, or fails.
    enum EndAction: Equatable {
        case nothing
        /// Tell the origin that the visitor has ended its direction.
        case finishOrigin
        /// Tell the visitor that the origin has ended its direction.
        case finishVisitor
        /// Both sides have ended: what is on its way still arrives.
        case leave
        /// The visitor has left: the stream is reset.
        case resetOrigin
        /// The body of the response may end here, if it ends with the connection.
        case endBody
        /// The stream is of no use; ``failed(_:)`` decides what follows.
        case fail
        /// The response is complete; only the rest of the upload is lost.
        case over
    }

    /// The visitor has ended its direction after a 101.
    mutating func visitorEnded() -> EndAction {
        guard self.requestHalf == .raw else { return .nothing }
        self.requestHalf = .rawEnded
        return self.isOver ? .leave : .finishOrigin
    }

    /// The origin has sent its last byte.
    mutating func originEnded() -> EndAction {
        self.originKeepsAlive = false
        switch self.responseHalf {
        case .awaitingHead: return .fail
        case .body: return .endBody
        case .complete: return .over
        case .raw:
            self.responseHalf = .rawEnded
            return self.isOver ? .leave : .finishVisitor
        case .rawEnded: return .nothing
        }
    }

    /// The visitor's connection is gone.
    ///
    /// - Parameter isBroken: Whether it broke, rather than ended.
    func visitorLeft(isBroken: Bool) -> EndAction {
        // The channel closes at once when the visitor's end follows the origin's: that is no abort.
        self.responseHalf == .rawEnded && !isBroken ? .leave : .resetOrigin
    }

    // MARK: Failures
}
