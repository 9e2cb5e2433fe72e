// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import Edge

@Suite("One request and its response")
struct ExchangeStateTests {
    private typealias Request = ExchangeState.Request

    private func head(_ text: String) throws -> ResponseHead {
        var parser = HeadParser()
        var buffer = ByteBuffer(string: text + "\r\n\r\n")
        return try #require(try parser.response(&buffer))
    }

    private static let plain = "HTTP/1.1 200 OK\r\nContent-Length: 5"

    // MARK: Heads

    @Test("A plain exchange keeps both connections")
    func plain() throws {
        var state = ExchangeState(request: Request(), hasBody: false)
        #expect(state.isUnanswered)
        #expect(try state.received(self.head(Self.plain)) == .final(.length(5), .asReceived, .kept))
        #expect(!state.isUnanswered)
        state.completedResponse()
        #expect(state.isOver)
        #expect(state.outcome() == .over(reuseStream: true, keepVisitor: true))
    }

    @Test("A visitor sends nothing after a request without a body that asks for the connection's end")
    func visitorsLast() {
        #expect(ExchangeState(request: Request(isKeepAlive: false), hasBody: false).isVisitorsLast)
        #expect(!ExchangeState(request: Request(), hasBody: false).isVisitorsLast)
        #expect(!ExchangeState(request: Request(isKeepAlive: false), hasBody: true).isVisitorsLast)
        #expect(!ExchangeState(request: Request(isKeepAlive: false, isUpgrade: true), hasBody: false).isVisitorsLast)
    }

    @Test("What each side says of its connection concerns that side alone")
    func closing() throws {
        for (visitor, origin) in [(true, true), (true, false), (false, true), (false, false)] {
            var state = ExchangeState(request: Request(isKeepAlive: visitor), hasBody: false)
            let text = Self.plain + (origin ? "" : "\r\nConnection: close")
            let action = try state.received(self.head(text))
            #expect(action == .final(.length(5), .asReceived, visitor ? .kept : .close))
            state.completedResponse()
            #expect(state.outcome() == .over(reuseStream: origin, keepVisitor: visitor))
        }
    }

    @Test("A body that ends with the origin's connection gets chunks of ours, and the visitor's connection is kept")
    func untilClose() throws {
        var state = ExchangeState(request: Request(), hasBody: false)
        #expect(try state.received(self.head("HTTP/1.0 200 OK")) == .final(.untilClose, .chunked, .kept))
        state.completedResponse()
        #expect(state.outcome() == .over(reuseStream: false, keepVisitor: true))
    }

    @Test("An HTTP/1.0 visitor gets no chunks and no interim responses, and keep-alive if it asked for it")
    func oldVisitor() throws {
        let request = Request(version: .http10, isKeepAlive: true)
        var state = ExchangeState(request: request, hasBody: false)
        #expect(try state.received(self.head("HTTP/1.1 103 Early Hints")) == .dropInterim)
        #expect(try state.received(self.head(Self.plain)) == .final(.length(5), .asReceived, .keepAlive))
        var chunked = ExchangeState(request: request, hasBody: false)
        let head = try self.head("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked")
        #expect(try chunked.received(head) == .final(.chunked, .untilClose, .close))
        chunked.completedResponse()
        #expect(chunked.outcome() == .over(reuseStream: true, keepVisitor: false))
    }

    @Test("Interim responses pass, as many as there are, and answer nothing")
    func interim() throws {
        var state = ExchangeState(request: Request(), hasBody: true)
        for status in ["100 Continue", "102 Processing", "103 Early Hints", "199 Odd"] {
            #expect(try state.received(self.head("HTTP/1.1 \(status)")) == .forwardInterim)
            #expect(state.isUnanswered)
        }
    }

    // MARK: Upgrades

    @Test("A 101 turns both halves into bytes, and neither connection is used again")
    func upgrade() throws {
        var state = ExchangeState(request: Request(isUpgrade: true, passesUpgrade: true), hasBody: false)
        #expect(try state.received(self.head("HTTP/1.1 101 Switching Protocols")) == .upgrade)
        #expect(state.requestHalf == .raw)
        #expect(state.outcome() == .over(reuseStream: false, keepVisitor: false))
        #expect(state.failed(isReused: false, isUnsent: true) == .cut)
    }

    @Test("A 101 that nobody asked for, or before the end of the request, is no HTTP")
    func badUpgrade() throws {
        let head = try self.head("HTTP/1.1 101 Switching Protocols")
        for request in [Request(), Request(isUpgrade: true)] {
            var unasked = ExchangeState(request: request, hasBody: false)
            #expect(throws: HTTPFault.self) { try unasked.received(head) }
        }
        var early = ExchangeState(request: Request(isUpgrade: true, passesUpgrade: true), hasBody: true)
        #expect(throws: HTTPFault.self) { try early.received(head) }
    }

    @Test("After a refused upgrade the visitor's connection closes")
    func refusedUpgrade() throws {
        var state = ExchangeState(request: Request(isUpgrade: true, passesUpgrade: true), hasBody: false)
        #expect(try state.received(self.head(Self.plain)) == .final(.length(5), .asReceived, .close))
        state.completedResponse()
        #expect(state.outcome() == .over(reuseStream: true, keepVisitor: false))
    }

    // MARK: Uploads

    @Test("After an early answer the upload goes on if both sides mean to go on after it")
    func earlyAnswer() throws {
        for (text, outcome) in [
            (Self.plain, ExchangeState.Outcome.finishUpload),
            (Self.plain + "\r\nConnection: close", .over(reuseStream: false, keepVisitor: false)),
        ] {
            var state = ExchangeState(request: Request(isIdempotent: false), hasBody: true)
            let connection: ResponseRewrite.Connection = outcome == .finishUpload ? .kept : .close
            #expect(try state.received(self.head(text)) == .final(.length(5), .asReceived, connection))
            state.completedResponse()
            #expect(!state.isOver)
            #expect(state.outcome() == outcome)
        }
    }

    @Test("A visitor who waited for 100 and got an answer is not read from again, one who got 100 is")
    func expectation() throws {
        for (gotContinue, isKept) in [(true, true), (false, false)] {
            var state = ExchangeState(request: Request(expectsContinue: true), hasBody: true)
            if gotContinue { _ = try state.received(self.head("HTTP/1.1 100 Continue")) }
            let action = try state.received(self.head(Self.plain))
            #expect(action == .final(.length(5), .asReceived, isKept ? .kept : .close))
        }
    }

    @Test("The time runs of that side whose turn it is")
    func turns() throws {
        var get = ExchangeState(request: Request(), hasBody: false)
        #expect(get.turn == .origin)
        _ = try get.received(self.head("HTTP/1.1 103 Early Hints"))
        #expect(get.turn == .origin)
        _ = try get.received(self.head(Self.plain))
        #expect(get.turn == .neither)

        var upload = ExchangeState(request: Request(), hasBody: true)
        #expect(upload.turn == .visitor)
        _ = try upload.received(self.head(Self.plain))
        #expect(upload.turn == .visitor)
        upload.completedRequest()
        #expect(upload.turn == .neither)

        var waiting = ExchangeState(request: Request(expectsContinue: true), hasBody: true)
        #expect(waiting.turn == .origin)
        _ = try waiting.received(self.head("HTTP/1.1 100 Continue"))
        #expect(waiting.turn == .visitor)
        var impatient = ExchangeState(request: Request(expectsContinue: true), hasBody: true)
        impatient.sentBody()
        #expect(impatient.turn == .visitor)
        impatient.completedRequest()
        #expect(impatient.turn == .origin)

        var raw = ExchangeState(request: Request(isUpgrade: true, passesUpgrade: true), hasBody: false)
        _ = try raw.received(self.head("HTTP/1.1 101 Switching Protocols"))
        #expect(raw.turn == .neither)
    }

    @Test("An HTTP/1.0 visitor is told of no coding, not even where there is no body")
    func oldVisitorWithoutBody() throws {
        let request = Request(isHead: true, version: .http10, isKeepAlive: true)
        var state = ExchangeState(request: request, hasBody: false)
        let head = try self.head("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked")
        #expect(try state.received(head) == .final(.none, .untilClose, .close))
        var plain = ExchangeState(request: request, hasBody: false)
        #expect(try plain.received(self.head(Self.plain)) == .final(.none, .asReceived, .keepAlive))
    }

    @Test("An upload that was given up spoils both connections")
    func abandonedUpload() throws {
        var state = ExchangeState(request: Request(), hasBody: true)
        state.abandonedRequest()
        _ = try state.received(self.head(Self.plain))
        state.completedResponse()
        #expect(state.outcome() == .over(reuseStream: true, keepVisitor: false))
    }

    // MARK: Failures

    /// One line of the table of what may be sent again.
    struct Failure: CustomTestStringConvertible {
        var isIdempotent = true
        var sentBody = false
        var hasResponseBytes = false
        var isReused = true
        var isUnsent = false
        var isRetried: Bool

        var testDescription: String { "\(self)" }
    }

    @Test(
        "A request is sent again, once, only if that can do no harm",
        arguments: [
            Failure(isRetried: true), Failure(isReused: false, isRetried: false),
            Failure(isReused: false, isUnsent: true, isRetried: true),
            Failure(isIdempotent: false, isReused: false, isUnsent: true, isRetried: true),
            Failure(isIdempotent: false, isReused: false, isRetried: false),
            Failure(sentBody: true, isRetried: false), Failure(sentBody: true, isUnsent: true, isRetried: false),
            Failure(hasResponseBytes: true, isRetried: false),
            Failure(hasResponseBytes: true, isUnsent: true, isRetried: false),
        ]
    )
    func retries(_ failure: Failure) {
        var state = ExchangeState(request: Request(isIdempotent: failure.isIdempotent), hasBody: failure.sentBody)
        if failure.sentBody { state.sentBody() }
        if failure.hasResponseBytes { state.receivedBytes() }
        let first = state.failed(isReused: failure.isReused, isUnsent: failure.isUnsent)
        #expect(first == (failure.isRetried ? .retry : .answer))
        if failure.isRetried {
            #expect(!state.mayReuseStream)
            #expect(state.failed(isReused: true, isUnsent: true) == .answer)
        }
    }

    @Test("A request whose used connection was just closing is sent again without waiting for the stream's end")
    func lostOnUsedConnection() throws {
        var state = ExchangeState(request: Request(), hasBody: false)
        #expect(state.isLostOnUsedConnection(isReused: true))
        #expect(!state.isLostOnUsedConnection(isReused: false))
        #expect(
            !ExchangeState(request: Request(isIdempotent: false), hasBody: false).isLostOnUsedConnection(isReused: true)
        )
        #expect(!ExchangeState(request: Request(), hasBody: true).isLostOnUsedConnection(isReused: true))
        #expect(state.failed(isReused: true, isUnsent: false) == .retry)
        #expect(!state.isLostOnUsedConnection(isReused: true), "once")

        var answering = ExchangeState(request: Request(), hasBody: false)
        answering.receivedBytes()
        #expect(!answering.isLostOnUsedConnection(isReused: true), "the first bytes of an answer are there")
    }

    @Test("A failure cuts a response that is half out, and leaves a complete one alone")
    func cuts() throws {
        var state = ExchangeState(request: Request(), hasBody: false)
        _ = try state.received(self.head(Self.plain))
        #expect(state.failed(isReused: true, isUnsent: true) == .cut)
        state.completedResponse()
        #expect(state.failed(isReused: true, isUnsent: true) == .over)
    }

    @Test("Only what can be sent again goes to a connection that has served before")
    func reuse() {
        #expect(ExchangeState(request: Request(), hasBody: false).mayReuseStream)
        #expect(!ExchangeState(request: Request(), hasBody: true).mayReuseStream)
        #expect(!ExchangeState(request: Request(isIdempotent: false), hasBody: false).mayReuseStream)
        #expect(!ExchangeState(request: Request(isUpgrade: true, passesUpgrade: true), hasBody: false).mayReuseStream)
    }
}
