// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Inspection
import Logging
import Mux
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Protocol
import Testing

@testable import ConnectorCore

@Suite("A stream and its local connection", .timeLimit(.minutes(1)))
struct OriginRoundTripTests {
    /// Serves the target through a fake edge for the time of the body.
    private func withTunnel(
        to target: String,
        _ body: (EdgeSession) async throws -> Void
    ) async throws {
        let edge = try await FakeEdge.start()
        let opener = try OwnSessionOpener.fixture(edge: edge.address, target: target)
        let session = try await opener.open(bundle: .init(id: Array(repeating: 7, count: 16), index: 0, count: 1))
        try await body(try await edge.nextSession())
        session.close()
        try await edge.stop()
    }

    @Test("What an echo server is sent comes back, whole, and both sides finish")
    func echo() async throws {
        let origin = try await LocalOrigin.start(.echo)
        try await self.withTunnel(to: "127.0.0.1:\(origin.port)") { session in
            for length in [0, 1, 16_352, 65_537, 300_000] {
                let bytes = ByteBuffer(bytes: (0..<length).lazy.map { UInt8(truncatingIfNeeded: $0 &* 7) })
                let exchange = try await session.exchange(bytes)
                #expect(exchange.error == nil)
                #expect(exchange.bytes == bytes)
                #expect(await origin.nextEnding() == .finished)
            }
        }
        try await origin.stop()
    }

    @Test("An answer that is none of HTTP is told once, and passes as it is")
    func otherProtocol() async throws {
        let alert = "\u{15}\u{3}\u{1}\u{0}\u{2}\u{2}\u{46}"
        let origin = try await LocalOrigin.start(.answer(alert))
        let edge = try await FakeEdge.start()
        let sentences = NIOLockedValueBox<[String]>([])
        var opener = try OwnSessionOpener.fixture(edge: edge.address, target: "127.0.0.1:\(origin.port)")
        opener.observer = OriginObserver.none.once { sentence in sentences.withLockedValue { $0.append(sentence) } }
        let session = try await opener.open(bundle: .init(id: Array(repeating: 7, count: 16), index: 0, count: 1))
        let edgeSession = try await edge.nextSession()
        for _ in 0..<2 {
            let exchange = try await edgeSession.exchange(ByteBuffer(string: "GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
            #expect(exchange.bytes == ByteBuffer(string: alert))
        }
        #expect(
            sentences.withLockedValue { $0 } == ["127.0.0.1:\(origin.port) speaks TLS: write https:// in front of it"]
        )
        session.close()
        try await edge.stop()
        try await origin.stop()
    }

    @Test("A capture reports the request, and the bytes stay the same")
    func watched() async throws {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        let origin = try await LocalOrigin.start(.answer(answer))
        let edge = try await FakeEdge.start()
        let (events, continuation) = AsyncStream.makeStream(of: HTTPCapture.Event.self)
        var opener = try OwnSessionOpener.fixture(edge: edge.address, target: "127.0.0.1:\(origin.port)")
        opener.observer = OriginObserver(
            report: { _ in },
            listeners: CaptureListeners(report: { continuation.yield($0) })
        )
        let session = try await opener.open(bundle: .init(id: Array(repeating: 7, count: 16), index: 0, count: 1))
        let exchange = try await edge.nextSession().exchange(
            ByteBuffer(string: "GET /x?secret HTTP/1.1\r\nHost: x\r\n\r\n")
        )
        #expect(exchange.bytes == ByteBuffer(string: answer))
        var seen: [HTTPCapture.Event] = []
        for await event in events {
            seen.append(event)
            if event.end != nil { break }
        }
        guard seen.first == .began, let ended = seen.last?.end else {
            Issue.record("\(seen)")
            return
        }
        #expect((ended.path, ended.status, ended.isComplete) == ("/x", 200, true))
        session.close()
        try await edge.stop()
        try await origin.stop()
    }

    @Test(
        "What the edge tells of other connectors is reported, without what would steer a terminal; the rest is ignored"
    )
    func notices() async throws {
        let edge = try await FakeEdge.start()
        let (events, continuation) = AsyncStream.makeStream(of: OriginEvent.self)
        var opener = try OwnSessionOpener.fixture(edge: edge.address, target: "127.0.0.1:1")
        opener.observer = OriginObserver { continuation.yield($0) }
        let session = try await opener.open(bundle: .init(id: Array(repeating: 7, count: 16), index: 0, count: 1))
        let edgeSession = try await edge.nextSession()
        let long = String(repeating: "x", count: 20_000)
        for notice in [
            "", "[]", "{\"also_served_by\":1}", "{\"also_served_by\":[{\"implementation\":\"\(long)\"}]}",
            #"{"also_served_by":[{"implementation":"culvert/1\u001b[2J","remote_address":"192.0.2.7"},{}],"later":{}}"#,
            #"{"also_served_by":[]}"#,
        ] {
            let exchange = try await edgeSession.exchange(ByteBuffer(string: notice), kind: .notice)
            #expect(exchange.bytes.readableBytes == 0)
        }
        var seen: [OriginEvent] = []
        for await event in events {
            seen.append(event)
            if seen.count == 2 { break }
        }
        #expect(seen == [.alsoServed(by: ["culvert/1[2J at 192.0.2.7", "a connector"]), .alsoServed(by: [])])
        session.close()
        try await edge.stop()
    }

    @Test("localhost is reached on the IPv4 loopback address and on the IPv6 one", arguments: ["127.0.0.1", "::1"])
    func bothFamilies(host: String) async throws {
        guard let origin = try? await LocalOrigin.start(.echo, host: host) else {
            // A container without IPv6 has no ::1 to listen on.
            #expect(host == "::1")
            return
        }
        try await self.withTunnel(to: "\(origin.port)") { session in
            for _ in 0..<3 {
                let exchange = try await session.exchange(ByteBuffer(string: "hello"))
                #expect(exchange.bytes == ByteBuffer(string: "hello"))
            }
        }
        try await origin.stop()
    }

    @Test("A socket of the file system is a target too")
    func unixSocket() async throws {
        let path = NSTemporaryDirectory() + "culvert-\(UInt32.random(in: .min ... .max)).sock"
        let origin = try await LocalOrigin.start(.echo, socket: path)
        try await self.withTunnel(to: "unix:\(path)") { session in
            let exchange = try await session.exchange(ByteBuffer(string: "hello"))
            #expect(exchange.bytes == ByteBuffer(string: "hello"))
        }
        try await origin.stop()
    }

    @Test("Where nothing listens, the stream is refused with the address, and may be tried elsewhere")
    func refused() async throws {
        let origin = try await LocalOrigin.start(.echo)
        try await origin.stop()
        for target in ["127.0.0.1:\(origin.port)", "localhost:\(origin.port)"] {
            try await self.withTunnel(to: target) { session in
                let exchange = try await session.exchange(ByteBuffer(string: "x"))
                let error = try #require(exchange.error)
                #expect(error.code == .connectRefused)
                #expect(error.reason == "nothing listens on \(target)")
                #expect(error.isRetrySafe)
            }
        }
        try await self.withTunnel(to: "unix:/nowhere/at/all.sock") { session in
            let exchange = try await session.exchange(ByteBuffer(string: "x"))
            let error = try #require(exchange.error)
            #expect(error.code == .connectRefused)
            #expect(error.reason == "there is no socket at /nowhere/at/all.sock")
        }
    }

    @Test("A name that does not resolve is a DNS failure")
    func unresolved() async throws {
        try await self.withTunnel(to: "no-such-host.invalid:80") { session in
            let exchange = try await session.exchange(ByteBuffer(string: "x"))
            let error = try #require(exchange.error)
            #expect(error.code == .dnsFailure)
        }
    }

    @Test(
        "A target that is not configured is refused, whatever it is called",
        arguments: ["other", "127.0.0.1:22", "/"]
    )
    func unknownTarget(name: String) async throws {
        let origin = try await LocalOrigin.start(.echo)
        try await self.withTunnel(to: "\(origin.port)") { session in
            let exchange = try await session.exchange(ByteBuffer(string: "x"), target: name)
            let error = try #require(exchange.error)
            #expect(error.code == .targetUnknown)
        }
        try await origin.stop()
    }

    @Test("TLS to a server that speaks none is refused as such")
    func localTLS() async throws {
        let origin = try await LocalOrigin.start(.reset(after: "HTTP/1.1 400 Bad Request\r\n\r\n"))
        try await self.withTunnel(to: "https://127.0.0.1:\(origin.port)") { session in
            let exchange = try await session.exchange(ByteBuffer(string: "x"))
            let error = try #require(exchange.error)
            #expect(error.code == .localTLSError)
        }
        try await origin.stop()
    }

    @Test("An answer that the origin follows with a reset arrives whole before the stream is reset")
    func localReset() async throws {
        let answer = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n"
        let origin = try await LocalOrigin.start(.reset(after: answer))
        try await self.withTunnel(to: "127.0.0.1:\(origin.port)") { session in
            let exchange = try await session.exchange(ByteBuffer(string: "upload"), finishes: false)
            #expect(exchange.bytes == ByteBuffer(string: answer))
            #expect(exchange.error?.code == .localReset)
            #expect(exchange.stopCode == .localReset)
        }
        try await origin.stop()
    }

    @Test("A stream that is reset resets the local connection, and one that ends with NO_ERROR closes it")
    func streamReset() async throws {
        let origin = try await LocalOrigin.start(.swallow)
        try await self.withTunnel(to: "127.0.0.1:\(origin.port)") { session in
            for (code, ending) in [(ErrorCode.cancelled, LocalOrigin.Ending.reset), (.noError, .finished)] {
                _ = try await session.exchange(ByteBuffer(string: "x"), finishes: false) { stream in
                    stream.reset(code: code)
                }
                #expect(await origin.nextEnding() == ending)
            }
        }
        try await origin.stop()
    }

    @Test("The loss of the session resets the local connections")
    func sessionLost() async throws {
        let origin = try await LocalOrigin.start(.swallow)
        try await self.withTunnel(to: "127.0.0.1:\(origin.port)") { session in
            _ = try await session.exchange(ByteBuffer(string: "x"), finishes: false) { stream in
                stream.parent?.close(promise: nil)
            }
            #expect(await origin.nextEnding() == .reset)
        }
        try await origin.stop()
    }

    @Test("A download that is not read waits at the origin, and is complete when it is read")
    func backPressure() async throws {
        let origin = try await LocalOrigin.start(.send(20_000_000))
        try await self.withTunnel(to: "127.0.0.1:\(origin.port)") { session in
            let exchange = try await session.exchange(ByteBuffer(), finishes: false) { stream in
                try? stream.syncOptions?.setOption(.autoRead, value: false)
                // The rest of the download can't have passed: credit is a fraction of it.
                stream.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(200)) {
                    #expect(stream.isActive)
                    try? stream.syncOptions?.setOption(.autoRead, value: true)
                }
            }
            #expect(exchange.bytes == ByteBuffer(repeating: 0x5A, count: 20_000_000))
            #expect(exchange.error == nil)
        }
        try await origin.stop()
    }

    @Test("Fifty conversations at once stay apart")
    func concurrent() async throws {
        let origin = try await LocalOrigin.start(.echo)
        try await self.withTunnel(to: "127.0.0.1:\(origin.port)") { session in
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<50 {
                    group.addTask {
                        let bytes = ByteBuffer(repeating: UInt8(number), count: 100_000 + number)
                        return try await session.exchange(bytes).bytes == bytes
                    }
                }
                for try await isIntact in group { #expect(isIntact) }
            }
        }
        try await origin.stop()
    }
}

extension OwnSessionOpener {
    /// A dialer for tests: no TLS to the edge, none verified to the target.
    static func fixture(
        edge: EdgeAddress,
        target: String,
        tunnelID: String = "my-app",
        patience: Duration = .seconds(1)
    ) throws -> OwnSessionOpener {
        OwnSessionOpener(
            dialer: EdgeDialer(
                edge: edge,
                group: MultiThreadedEventLoopGroup.singleton,
                tls: nil,
                patience: patience
            ),
            token: CurrentToken(try TunnelToken(parsing: TokenText.signed(#"{"sub":"\#(tunnelID)"}"#))),
            targets: [TargetName.primary: try OriginTarget(parsing: target)],
            originTLS: try OriginTLS(OriginTrust(verifies: false)),
            governor: MemoryGovernor(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            observer: .none
        )
    }
}
