// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOEmbedded
import Testing

@testable import ConnectorCore

@Suite("Asking a proxy for a connection")
struct ProxyConnectTests {
    private func connect(_ credentials: ProxyCredentials? = nil) -> ProxyConnect {
        ProxyConnect(host: "e.example", port: 443, credentials: credentials)
    }

    @Test("The request names host and port, and shows the credentials to the proxy alone")
    func request() {
        let plain = String(buffer: self.connect().request)
        #expect(plain.hasPrefix("CONNECT e.example:443 HTTP/1.1\r\nHost: e.example:443\r\n"))
        #expect(plain.hasSuffix("\r\n\r\n"))
        #expect(!plain.contains("Authorization"))
        let shown = String(buffer: self.connect(ProxyCredentials(user: "u", password: "p")).request)
        #expect(shown.contains("\r\nProxy-Authorization: Basic dTpw\r\n"))
        let address = ProxyConnect(host: "2001:db8::1", port: 8989, credentials: nil)
        #expect(String(buffer: address.request).hasPrefix("CONNECT [2001:db8::1]:8989 HTTP/1.1\r\n"))
    }

    @Test(
        "Answers",
        arguments: [
            ("HTTP/1.1 200 Connection established\r\n\r\n", .connected(leftover: ByteBuffer())),
            ("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", .connected(leftover: ByteBuffer(string: "hello"))),
            ("HTTP/1.1 204 x\n\n", .connected(leftover: ByteBuffer())),
            (
                "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 103 x\r\nLink: y\r\n\r\nHTTP/1.1 200 x\r\n\r\nz",
                .connected(leftover: ByteBuffer(string: "z"))
            ),
            ("HTTP/1.1 407 x\r\nProxy-Authenticate: Basic\r\n\r\n", .failed(.authentication(wasShown: false))),
            ("HTTP/1.1 403 x\r\nContent-Length: 9\r\n\r\n", .failed(.refused(status: 403))),
            ("HTTP/1.1 502 x\r\n\r\n", .failed(.refused(status: 502))),
            ("SSH-2.0-x\r\n\r\n", .failed(.notAProxy("its answer is not HTTP"))),
            ("HTTP/1.1 2000 x\r\n\r\n", .failed(.notAProxy("its answer is not HTTP"))),
            ("HTTP/1.1\r\n\r\n", .failed(.notAProxy("its answer is not HTTP"))),
            ("HTTP/1.1 200 x\r\nA: b\r\n", nil),
            ("", nil),
        ] as [(String, ProxyConnect.Outcome?)]
    )
    func answers(bytes: String, outcome: ProxyConnect.Outcome?) {
        var whole = self.connect()
        #expect(whole.receive(ByteBuffer(string: bytes)) == outcome)
        // And a byte at a time, where what follows the head has not been read.
        var pieces = self.connect()
        var last: ProxyConnect.Outcome?
        for byte in bytes.utf8 where last == nil { last = pieces.receive(ByteBuffer(bytes: [byte])) }
        switch (outcome, last) {
        case (.connected, .connected(let leftover)): #expect(leftover.readableBytes == 0)
        default: #expect(last == outcome)
        }
    }

    @Test("Heads of more than 16 KiB, one or many, are no answer of a proxy")
    func bound() {
        var endless = self.connect()
        var outcome: ProxyConnect.Outcome?
        var sent = 0
        let piece = String(repeating: "a", count: 200)
        while outcome == nil, sent < 1 << 20 {
            outcome = endless.receive(ByteBuffer(string: sent == 0 ? "HTTP/1.1 200 x\r\nA: " : piece))
            sent += piece.utf8.count
        }
        #expect(outcome == .failed(.notAProxy("its answer is too long")))
        #expect(sent <= ProxyConnect.maximumHead + 2 * piece.utf8.count)
        var many = self.connect()
        let interim = String(repeating: "HTTP/1.1 100 x\r\n\r\n", count: 1_000)
        #expect(many.receive(ByteBuffer(string: interim)) == .failed(.notAProxy("its answer is too long")))
    }

    @Test("After a 200 the handler is gone, and bytes that came with it reach those who are there now")
    func handover() throws {
        let channel = EmbeddedChannel()
        let opened = channel.eventLoop.makePromise(of: Void.self)
        try channel.pipeline.syncOperations.addHandler(
            ProxyConnectHandler(self.connect(), limit: .seconds(1), promise: opened)
        )
        try channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 1)).wait()
        #expect(try channel.readOutbound(as: ByteBuffer.self).map { String(buffer: $0).hasPrefix("CONNECT ") } == true)
        try channel.writeInbound(ByteBuffer(string: "HTTP/1.1 200 x\r\n\r\nfirst"))
        try channel.writeInbound(ByteBuffer(string: "second"))
        try opened.futureResult.wait()
        #expect(try channel.readInbound(as: ByteBuffer.self) == ByteBuffer(string: "first"))
        #expect(try channel.readInbound(as: ByteBuffer.self) == ByteBuffer(string: "second"))
        #expect(throws: ChannelPipelineError.self) {
            try channel.pipeline.syncOperations.handler(type: ProxyConnectHandler.self)
        }
        channel.embeddedEventLoop.advanceTime(by: .seconds(5))
        #expect(channel.isActive)
        _ = try channel.finish()
    }

    @Test("A proxy that says nothing, or goes away, is told apart")
    func silence() throws {
        for (expected, act) in [
            (
                ProxyFailure.timedOut,
                { (channel: EmbeddedChannel) in channel.embeddedEventLoop.advanceTime(by: .seconds(1)) }
            ),
            (.unreachable("it closed the connection without an answer"), { $0.pipeline.fireChannelInactive() }),
        ] {
            let channel = EmbeddedChannel()
            let opened = channel.eventLoop.makePromise(of: Void.self)
            try channel.pipeline.syncOperations.addHandler(
                ProxyConnectHandler(self.connect(), limit: .seconds(1), promise: opened)
            )
            act(channel)
            #expect(throws: expected) { try opened.futureResult.wait() }
            _ = try? channel.finish()
        }
    }

    @Test("Each failure has its sentence, its advice and its rule of reconnection; none holds a password")
    func sentences() throws {
        let edge = try EdgeAddress(parsing: "https://e.example")
        let proxy = try ProxyAddress(parsing: "http://user:secret@p:3128")
        let table: [(ProxyFailure, says: String, first: CommandStatus?)] = [
            (.unresolved, "does not resolve", nil),
            (.unreachable("connection refused"), "No proxy answers at http://p:3128: connection refused", nil),
            (.timedOut, "in time", nil),
            (.authentication(wasShown: false), "wants a user name and password", .refused),
            (.authentication(wasShown: true), "refused the user name and password", .refused),
            (.refused(status: 502), "can't reach e.example:443 (HTTP 502)", nil),
            (.refused(status: 403), "lets nobody through to e.example:443 (HTTP 403)", .unavailable),
            (.refused(status: nil), "lets nobody through to e.example:443:", .unavailable),
            (.notAProxy("its answer is not HTTP"), "is not an HTTP proxy", .unavailable),
        ]
        for (cause, says, first) in table {
            let failure = EdgeFailure(cause, dialling: edge, through: proxy)
            #expect(failure == .proxy(proxy, to: edge, cause))
            #expect(failure.description.contains(says), "\(failure.description)")
            #expect(!failure.description.contains("secret"))
            switch ReconnectPolicy().decide(after: failure) {
            case .stop(let end): #expect(end.status == first)
            case .retry: #expect(first == nil)
            case .yield: Issue.record("no other connector is there")
            }
            // A proxy that has let us through before is having a bad moment.
            #expect(
                ReconnectPolicy(hasBeenActive: true).decide(after: failure)
                    == .retry(minimum: .zero, reason: failure.description)
            )
        }
    }
}
