// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import EdgeProxy

@Suite("What is kept of a request to be sent again")
struct SentRequestTests {
    private let head = ByteBuffer(string: "POST / HTTP/1.1\r\n\r\n")

    @Test("The body is kept in its order until the connector takes the stream, and then given up")
    func body() {
        var request = SentRequest(head: self.head, hasBody: true)
        for part in ["one", "two", "three"] { request.sent(ByteBuffer(string: part)) }
        request.complete()
        #expect(request.body.map { String(buffer: $0) } == ["one", "two", "three"])
        #expect(request.isWhole && request.isComplete)
        request.accepted()
        #expect(request.body.isEmpty)
        #expect(!request.isWhole)
        request.sent(ByteBuffer(string: "four"))
        #expect(request.body.isEmpty)
    }

    @Test("No more is taken than a stream's first window holds, until the connector takes the stream")
    func bound() {
        var request = SentRequest(head: self.head, hasBody: true)
        #expect(request.room == 65_536)
        request.sent(ByteBuffer(repeating: 1, count: 65_000))
        #expect(request.room == 536)
        request.sent(ByteBuffer(repeating: 1, count: 536))
        #expect(request.room == 0)
        #expect(request.bodyBytes == 65_536)
        request.accepted()
        #expect(request.room == .max)
    }

    @Test("A request without a body stays whole, one whose rest will not come does not")
    func wholeness() {
        var get = SentRequest(head: self.head, hasBody: false)
        get.accepted()
        #expect(get.isWhole && get.isComplete)
        var cut = SentRequest(head: self.head, hasBody: true)
        cut.abandon()
        #expect(!cut.isWhole)
        // A stream that was taken before a byte of the body came can't be told from one that had all of it.
        var early = SentRequest(head: self.head, hasBody: true)
        early.accepted()
        #expect(!early.isWhole)
    }

    @Test("Each failure counts, and names the session that is not to be met again")
    func attempts() {
        var request = SentRequest(head: self.head, hasBody: false)
        #expect(request.attempt == 1)
        request.failed(on: [7, 8])
        request.failed(on: [])
        #expect(request.attempt == 3)
        #expect(request.tried == [7, 8])
    }
}
