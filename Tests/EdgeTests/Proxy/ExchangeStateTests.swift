// SPDX-License-Identifier: Apache-2.0

import HTTP1
import Mux
import NIOCore
import Protocol
import Testing

@testable import EdgeProxy

@Suite("One request and its response")
struct ExchangeStateTests {
    private typealias Answer = VisitorConnectionState.Answer

    private func head(_ text: String) throws -> ResponseHead {
        var parser = HeadParser()
        var buffer = ByteBuffer(string: text + "\r\n\r\n")
        return try #require(try parser.response(&buffer))
    }

    private static let plain = "HTTP/1.1 200 OK\r\nContent-Length: 5"
    private static let upload = RequestTraits(isIdempotent: false, hasBody: true)
    private static let upgrade = RequestTraits(isUpgrade: true)

    /// What the origin's plain answer is to the visitor's connection.
    private static func answered(takesRest: Bool = false, isDelimited: Bool = true) -> Answer {
        Answer(author: .origin, isDelimited: isDelimited, takesRest: takesRest)
    }

    private func raw() throws -> ExchangeState {
        var state = ExchangeState(request: Self.upgrade, passesUpgrade: true)
        #expect(try state.received(self.head("HTTP/1.1 101 Switching Protocols")) == .upgrade)
        return state
    }

    @Test("Nothing is switched to that was not asked for", arguments: ["h2c", "websocket, h2c", "other"])
    func otherProtocol(_ protocols: String) throws {
        var state = ExchangeState(request: Self.upgrade, passesUpgrade: true, protocols: ["websocket", "foo"])
        #expect(throws: HTTPFault.self) {
            try state.received(self.head("HTTP/1.1 101 Switching Protocols\r\nUpgrade: \(protocols)"))
        }
        #expect(try state.received(self.head("HTTP/1.1 101 Switching Protocols\r\nUpgrade: Foo")) == .upgrade)
    }

    // MARK: Heads

    @Test("A plain exchange leaves the stream for the next")
    func plain() throws {
        var state = ExchangeState(request: RequestTraits())
        #expect(state.isUnanswered)
        #expect(try state.received(self.head(Self.plain)) == .final(.length(5), .asReceived, Self.answered()))
        #expect(!state.isUnanswered)
        #expect(state.completedResponse() == .over(reuseStream: true))
        #expect(state.isOver)
    }

    @Test("An origin that closes, or whose body ends with its connection, is not used again")
    func closing() throws {
        for text in [Self.plain + "\r\nConnection: close", "HTTP/1.0 200 OK"] {
            var state = ExchangeState(request: RequestTraits())
            _ = try state.received(self.head(text))
            #expect(state.completedResponse() == .over(reuseStream: false))
        }
    }

    @Test("A body that ends with the origin's connection gets chunks of ours")
    func untilClose() throws {
        var state = ExchangeState(request: RequestTraits())
        #expect(try state.received(self.head("HTTP/1.0 200 OK")) == .final(.untilClose, .chunked, Self.answered()))
    }

    @Test("An HTTP/1.0 visitor gets no chunks and no interim responses, and is told of no coding without a body either")
    func oldVisitor() throws {
        let request = RequestTraits(version: .http10)
        var state = ExchangeState(request: request)
        #expect(try state.received(self.head("HTTP/1.1 103 Early Hints")) == .dropInterim)
        #expect(try state.received(self.head(Self.plain)) == .final(.length(5), .asReceived, Self.answered()))
        let chunked = try self.head("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked")
        for (isHead, framing) in [(false, BodyFraming.chunked), (true, .none)] {
            var state = ExchangeState(request: RequestTraits(isHead: isHead, version: .http10))
            let expected = ExchangeState.HeadAction.final(framing, .untilClose, Self.answered(isDelimited: false))
            #expect(try state.received(chunked) == expected)
        }
    }

    @Test(
        "A response that speaks of a scheme which authenticates connections binds this one, whatever its status",
        arguments: [
            ("401 Unauthorized", "WWW-Authenticate: NTLM", true),
            ("401 Unauthorized", "www-authenticate: negotiate", true),
            ("401 U", "WWW-Authenticate: Basic realm=\"a\", Negotiate", true),
            ("401 U", "WWW-Authenticate: Basic realm=\"a\"\r\nWWW-Authenticate: NTLM TlRM", true),
            ("401 U", "WWW-Authenticate:\tKerberos", true), ("200 OK", "WWW-Authenticate: Negotiate oRQw", true),
            ("200 OK", "Persistent-Auth: true", true), ("401 U", "WWW-Authenticate: Basic realm=\"NTLM\"", false),
            ("401 U", "WWW-Authenticate: NTLMx", false), ("401 U", "WWW-Authenticate: Digest nonce=ntlm", false),
            ("401 U", "X: NTLM", false), ("401 U", "WWW-Authenticate: ", false),
        ]
    )
    func binding(_ status: String, _ field: String, _ isBound: Bool) throws {
        var state = ExchangeState(request: RequestTraits())
        _ = try state.received(self.head("HTTP/1.1 \(status)\r\n\(field)\r\nContent-Length: 0"))
        #expect(state.isBound == isBound)
        #expect(ExchangeState(request: RequestTraits(bindsConnection: true)).isBound)
    }

    @Test("Interim responses pass, as many as there are, and answer nothing")
    func interim() throws {
        var state = ExchangeState(request: Self.upload)
        for status in ["100 Continue", "102 Processing", "103 Early Hints", "199 Odd"] {
            #expect(try state.received(self.head("HTTP/1.1 \(status)")) == .forwardInterim)
            #expect(state.isUnanswered)
        }
    }

    // MARK: Bytes both ways

    @Test("A 101 that nobody asked for, or before the end of the request, is no HTTP")
    func badUpgrade() throws {
        let head = try self.head("HTTP/1.1 101 Switching Protocols")
        for request in [RequestTraits(), Self.upgrade] {
            var unasked = ExchangeState(request: request)
            #expect(throws: HTTPFault.self) { try unasked.received(head) }
        }
        var early = ExchangeState(request: RequestTraits(isUpgrade: true, hasBody: true), passesUpgrade: true)
        #expect(throws: HTTPFault.self) { try early.received(head) }
    }

    @Test("After a 101 each direction ends by itself, in either order, and the second end is the end of all")
    func rawEnds() throws {
        var visitorFirst = try self.raw()
        #expect(visitorFirst.isRaw)
        #expect(visitorFirst.turn(responseTime: .seconds(1)) == .neither)
        #expect(visitorFirst.visitorEnded() == .finishOrigin)
        #expect(visitorFirst.visitorEnded() == .nothing)
        #expect(!visitorFirst.isOver)
        #expect(visitorFirst.originEnded() == .leave)
        #expect(visitorFirst.isOver)
        #expect(visitorFirst.originEnded() == .nothing)

        var originFirst = try self.raw()
        #expect(originFirst.originEnded() == .finishVisitor)
        #expect(originFirst.visitorEnded() == .leave)
    }

    @Test("A visitor that leaves aborts the stream, unless its end only follows the origin's")
    func visitorLeaves() throws {
        var ended = try self.raw()
        #expect(ended.visitorLeft(isBroken: false) == .resetOrigin)
        _ = ended.originEnded()
        #expect(ended.visitorLeft(isBroken: false) == .leave)
        #expect(ended.visitorLeft(isBroken: true) == .resetOrigin)
        #expect(ExchangeState(request: RequestTraits()).visitorLeft(isBroken: false) == .resetOrigin)
    }

    @Test("A stream that fails after a 101 cuts the visitor off, unless it only ends after both had ended")
    func rawFailure() throws {
        var state = try self.raw()
        #expect(state.failed(ExchangeState.Failure(isUndelivered: true), isRepeatable: true) == .cut)
        #expect(state.failed(ExchangeState.Failure(isAfterEnd: true), isRepeatable: true) == .cut)
        _ = state.originEnded()
        #expect(state.failed(ExchangeState.Failure(), isRepeatable: true) == .cut)
        #expect(state.failed(ExchangeState.Failure(isAfterEnd: true), isRepeatable: true) == .leave)
    }

    // MARK: Uploads

    @Test("After an early answer the upload goes on if both sides mean to go on after it")
    func earlyAnswer() throws {
        for (text, isKept) in [(Self.plain, true), (Self.plain, false), (Self.plain + "\r\nConnection: close", false)] {
            var state = ExchangeState(request: Self.upload)
            let takesRest = text == Self.plain
            let action = try state.received(self.head(text))
            #expect(action == .final(.length(5), .asReceived, Self.answered(takesRest: takesRest)))
            state.told(isKept ? .kept : .close)
            #expect(state.completedResponse() == (isKept ? .goOn : .over(reuseStream: false)))
            #expect(!state.isOver)
            if isKept { #expect(state.completedRequest() == .over(reuseStream: true)) }
        }
    }

    @Test("A visitor who waited for 100 and got an answer is not read from again, one who got 100 is")
    func expectation() throws {
        for gotContinue in [true, false] {
            var state = ExchangeState(request: RequestTraits(expectsContinue: true, hasBody: true))
            if gotContinue { _ = try state.received(self.head("HTTP/1.1 100 Continue")) }
            let action = try state.received(self.head(Self.plain))
            #expect(action == .final(.length(5), .asReceived, Self.answered(takesRest: gotContinue)))
        }
    }

    @Test("The time runs of that side whose turn it is")
    func turns() throws {
        let time = TimeAmount.seconds(30)
        var get = ExchangeState(request: RequestTraits())
        #expect(get.turn(responseTime: time) == .origin(time))
        _ = try get.received(self.head("HTTP/1.1 103 Early Hints"))
        #expect(get.turn(responseTime: time) == .origin(time))
        _ = try get.received(self.head(Self.plain))
        #expect(get.turn(responseTime: time) == .neither)

        var upload = ExchangeState(request: Self.upload)
        #expect(upload.turn(responseTime: time) == .visitor(minimum: 16))
        _ = try upload.received(self.head(Self.plain))
        #expect(upload.turn(responseTime: time) == .visitor(minimum: 1))
        #expect(upload.completedRequest() == .goOn)
        #expect(upload.turn(responseTime: time) == .neither)

        let expecting = RequestTraits(expectsContinue: true, hasBody: true)
        var waiting = ExchangeState(request: expecting)
        #expect(waiting.turn(responseTime: time) == .origin(time))
        _ = try waiting.received(self.head("HTTP/1.1 100 Continue"))
        #expect(waiting.turn(responseTime: time) == .visitor(minimum: 16))
        var impatient = ExchangeState(request: expecting)
        impatient.sentBody()
        #expect(impatient.turn(responseTime: time) == .visitor(minimum: 16))
        #expect(impatient.completedRequest() == .goOn)
        #expect(impatient.turn(responseTime: time) == .origin(time))
    }

    @Test("An upload that was given up spoils the stream, whether the response was complete or not")
    func abandonedUpload() throws {
        var early = ExchangeState(request: Self.upload)
        #expect(early.abandonedRequest() == .goOn)
        #expect(try early.received(self.head(Self.plain)) == .final(.length(5), .asReceived, Self.answered()))
        #expect(early.completedResponse() == .over(reuseStream: false))

        var late = ExchangeState(request: Self.upload)
        _ = try late.received(self.head(Self.plain))
        late.told(.kept)
        #expect(late.completedResponse() == .goOn)
        #expect(late.abandonedRequest() == .over(reuseStream: false))
    }

    // MARK: Ends and failures

    @Test("What the origin's end means depends on how far its response was")
    func originEnds() throws {
        var state = ExchangeState(request: Self.upload)
        #expect(state.originEnded() == .fail)
        _ = try state.received(self.head(Self.plain))
        #expect(state.originEnded() == .endBody)
        state.told(.kept)
        _ = state.completedResponse()
        #expect(state.originEnded() == .over)
    }

    /// One line of the table of what may be sent again.
    struct Failing: CustomTestStringConvertible {
        var isIdempotent = true
        var sentBody = false
        var hasResponseBytes = false
        var attempt = 1
        var isRepeatable = true
        var failure: ExchangeState.Failure
        var action: ExchangeState.FailureAction

        var testDescription: String { "\(self)" }
    }

    private static let undelivered = ExchangeState.Failure(isUndelivered: true)
    private static let unreachable = ExchangeState.Failure(isUnreachable: true)
    private static let reused = ExchangeState.Failure(isReused: true)
    private static let lost = ExchangeState.Failure(isLostUnaccepted: true)
    private static let silent = ExchangeState.Failure(isLostUnaccepted: true, isSilent: true)
    private static let elsewhere = ExchangeState.FailureAction.retry(.otherSession, mayWait: true)
    private static let again = ExchangeState.FailureAction.retry(.anySession, mayWait: true)

    @Test(
        "A request is sent again only if that can do no harm: where the origin saw nothing on another session",
        arguments: [
            Failing(failure: ExchangeState.Failure(), action: .answer),
            Failing(failure: undelivered, action: elsewhere),
            Failing(isIdempotent: false, failure: undelivered, action: elsewhere),
            Failing(isIdempotent: false, sentBody: true, failure: undelivered, action: elsewhere),
            Failing(sentBody: true, attempt: 2, failure: undelivered, action: elsewhere),
            Failing(attempt: 3, failure: undelivered, action: .answer),
            Failing(sentBody: true, isRepeatable: false, failure: undelivered, action: .answer),
            Failing(hasResponseBytes: true, failure: undelivered, action: .answer),
            Failing(
                failure: ExchangeState.Failure(isUndelivered: true, isCapacity: true),
                action: .retry(.otherSession, mayWait: false)
            ),
            Failing(
                isIdempotent: false,
                sentBody: true,
                failure: unreachable,
                action: .retry(.otherConnector, mayWait: false)
            ),
            Failing(attempt: 3, failure: unreachable, action: .answer),
            Failing(sentBody: true, isRepeatable: false, failure: unreachable, action: .answer),
            Failing(failure: reused, action: again),
            Failing(hasResponseBytes: true, failure: reused, action: .answer),
            Failing(attempt: 2, failure: reused, action: .answer),
            Failing(isIdempotent: false, sentBody: true, failure: reused, action: .answer),
            Failing(failure: lost, action: elsewhere), Failing(sentBody: true, failure: lost, action: elsewhere),
            Failing(isIdempotent: false, failure: lost, action: .answer),
            Failing(sentBody: true, isRepeatable: false, failure: lost, action: .answer),
            Failing(failure: silent, action: .retry(.otherSession, mayWait: false)),
            Failing(isIdempotent: false, failure: silent, action: .answer),
        ]
    )
    func retries(_ line: Failing) {
        var state = ExchangeState(
            request: RequestTraits(isIdempotent: line.isIdempotent, hasBody: line.sentBody),
            attempt: line.attempt
        )
        if line.sentBody { state.sentBody() }
        if line.hasResponseBytes { state.receivedBytes() }
        #expect(state.failed(line.failure, isRepeatable: line.isRepeatable) == line.action)
    }

    @Test("A request leaves a session that falls silent if it may be sent twice, and no origin thinks about it")
    func leavesSilence() {
        func mayLeave(
            _ state: ExchangeState,
            isReused: Bool = false,
            wasAccepted: Bool = false,
            isRepeatable: Bool = true
        ) -> Bool {
            state.mayLeaveSilence(isReused: isReused, wasAccepted: wasAccepted, isRepeatable: isRepeatable)
        }
        let state = ExchangeState(request: RequestTraits())
        #expect(mayLeave(state))
        #expect(mayLeave(state, isReused: true, wasAccepted: true))
        #expect(!mayLeave(state, wasAccepted: true), "the origin may take its time")
        #expect(!mayLeave(state, isRepeatable: false))
        #expect(!mayLeave(ExchangeState(request: RequestTraits(isIdempotent: false))))
        #expect(mayLeave(ExchangeState(request: RequestTraits(), attempt: 2)))
        #expect(!mayLeave(ExchangeState(request: RequestTraits(), attempt: 2), isReused: true), "sent twice already")
        #expect(!mayLeave(ExchangeState(request: RequestTraits(), attempt: 3)))
        var answered = ExchangeState(request: RequestTraits())
        answered.receivedBytes()
        #expect(!mayLeave(answered))
    }

    @Test("When a silent session is given up, what has not been taken is lost, and what was taken goes on")
    func givenUp() throws {
        var state = ExchangeState(request: RequestTraits(isIdempotent: false))
        #expect(state.isLostUntaken(isReused: false, wasAccepted: false))
        #expect(!state.isLostUntaken(isReused: false, wasAccepted: true), "the origin may take its time")
        #expect(state.isLostUntaken(isReused: true, wasAccepted: true), "what was taken is another request")
        state.receivedBytes()
        #expect(!state.isLostUntaken(isReused: false, wasAccepted: false))
        var answered = ExchangeState(request: RequestTraits())
        _ = try answered.received(self.head(Self.plain))
        #expect(!answered.isLostUntaken(isReused: true, wasAccepted: true))
    }

    @Test("An OPEN that nobody answers in time says that the session is silent, not that the origin is slow")
    func silence() {
        func failure(_ origin: StreamError.Origin, _ wasAccepted: Bool = false) -> ExchangeState.Failure {
            let error = StreamError(code: .deadlineExceeded, reason: "", origin: origin, isRetrySafe: false)
            return ExchangeState.Failure(error, OriginLink.Circumstances(wasAccepted: wasAccepted))
        }
        #expect(failure(.resetLocally) == Self.silent)
        #expect(failure(.resetLocally, true) == ExchangeState.Failure())
        #expect(failure(.resetByPeer) == Self.silent, "the edge that passes it on has waited in vain")
        #expect(failure(.rejected) == ExchangeState.Failure())
        func seen(_ origin: StreamError.Origin, _ wasAccepted: Bool = false) -> VisitorError {
            let error = StreamError(code: .deadlineExceeded, reason: "", origin: origin, isRetrySafe: false)
            return VisitorError(error, wasAccepted: wasAccepted)
        }
        #expect(seen(.resetLocally) == .sessionLost && seen(.resetByPeer) == .sessionLost)
        #expect(seen(.rejected) == .originTimeout && seen(.resetLocally, true) == .originTimeout)
    }

    @Test("A request whose used connection was just closing is sent again without waiting for the stream's end")
    func lostOnUsedConnection() {
        let state = ExchangeState(request: RequestTraits())
        #expect(state.isLostOnUsedConnection(isReused: true))
        #expect(!state.isLostOnUsedConnection(isReused: false))
        for request in [RequestTraits(isIdempotent: false), RequestTraits(hasBody: true)] {
            #expect(!ExchangeState(request: request).isLostOnUsedConnection(isReused: true))
        }
        #expect(!ExchangeState(request: RequestTraits(), attempt: 2).isLostOnUsedConnection(isReused: true), "once")
        var answering = ExchangeState(request: RequestTraits())
        answering.receivedBytes()
        #expect(!answering.isLostOnUsedConnection(isReused: true), "the first bytes of an answer are there")
    }

    @Test("A failure cuts a response that is half out, and leaves a complete one alone")
    func cuts() throws {
        var state = ExchangeState(request: RequestTraits())
        _ = try state.received(self.head(Self.plain))
        #expect(state.failed(Self.undelivered, isRepeatable: true) == .cut)
        _ = state.completedResponse()
        #expect(state.failed(Self.undelivered, isRepeatable: true) == .over)
    }

    @Test("Only what can be sent again goes to a connection that has served before")
    func reuse() {
        #expect(ExchangeState(request: RequestTraits()).mayReuseStream)
        for request in [RequestTraits(hasBody: true), RequestTraits(isIdempotent: false), Self.upgrade] {
            #expect(!ExchangeState(request: request).mayReuseStream)
        }
        #expect(!ExchangeState(request: RequestTraits(), attempt: 2).mayReuseStream)
        let repeated = ExchangeState(request: RequestTraits(hasBody: true), isComplete: true, hasSentBody: true)
        #expect(!repeated.mayReuseStream)
    }
}
