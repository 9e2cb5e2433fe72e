// SPDX-License-Identifier: Apache-2.0
import Foundation
import NIOCore
import Testing

@testable import ControlAPI
@testable import EdgeProxy
@testable import EdgeTunnels
@testable import HTTP1
@testable import JSONText
@testable import Mux

/// Heads and texts that are made to be costly: what they take of a processor grows with their bytes and no faster.
@Suite("What hostile bytes cost")
struct CostTests {
    /// A shape of bytes, and what is done with them.
    struct Shape: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var largest: Int
        var bytes: @Sendable (Int) -> [UInt8]
        var run: @Sendable ([UInt8]) throws -> Void

        /// - Parameters:
        ///   - name: What the bytes are.
        ///   - largest: How many may come.
        ///   - start: What stands before what is repeated.
        ///   - unit: What is repeated.
        ///   - end: What stands behind it.
        ///   - run: What is done with them.
        init(
            _ name: String,
            largest: Int = 60_000,
            _ start: String,
            repeating unit: [UInt8],
            _ end: String,
            run: @escaping @Sendable ([UInt8]) throws -> Void
        ) {
            self.testDescription = name
            self.largest = largest
            self.bytes = { count in
                let units = max(1, (count - start.utf8.count - end.utf8.count) / unit.count)
                return Array(start.utf8) + Array(repeatElement(unit, count: units).joined()) + Array(end.utf8)
            }
            self.run = run
        }

        /// Makes a shape of which more than one part grows.
        init(
            _ name: String,
            bytes: @escaping @Sendable (Int) -> [UInt8],
            run: @escaping @Sendable ([UInt8]) throws -> Void
        ) {
            self.testDescription = name
            self.largest = 60_000
            self.bytes = bytes
            self.run = run
        }
    }

    private static let shapes: [Shape] = [
        Self.request("members of Connection", "Connection: ", "a,"),
        Self.request("members of Connection that name a field", "X-A: 1\r\nConnection: ", "x-a,"),
        Self.request("members of TE", "TE: ", "a,"),
        Self.request("members of Upgrade", "Connection: upgrade\r\nUpgrade: ", "a,"),
        Self.request("addresses in X-Forwarded-For", "X-Forwarded-For: ", "10.0.0.1,"),
        Self.request("schemes in X-Forwarded-Proto", "X-Forwarded-Proto: ", "http,"),
        Self.request("media ranges without weight", "Accept: ", "a,"),
        Self.request("media ranges with weight", "Accept: ", "text/html;q=0.1,"),
        Self.request("white space", "X-A: ", " \t"),
        Shape("bytes of a path that are not UTF-8", "GET /k3v9q2m7/", repeating: [0xFF], " HTTP/1.1\r\nHost: a\r\n\r\n")
        {
            try Self.passRequest($0)
        },
        Self.response("links", "Link: ", "<//a>,"),
        Self.response("links that begin and never end", "Link: ", "<"),
        Self.response("quoted links", "Link: ", "\"\\\\\""),
        Self.response("attributes of a cookie", "Set-Cookie: a=b", ";Path=/"),
        Self.response("domains of a cookie", "Set-Cookie: a=b", ";Domain=."),
        Self.response("digits of a refresh", "Refresh: ", "1"),
        Self.response("slashes of a location", "Location: ", "/"),
        Self.response("members of Connection", "Connection: ", "a,"),
        Shape("values below a long name") { count in
            let name = Array(repeating: UInt8(ascii: "n"), count: count / 2)
            let values = Array(repeatElement([UInt8(ascii: "1"), UInt8(ascii: ",")], count: count / 4).joined())
            return Array("{\"".utf8) + name + Array("\":[".utf8) + values + Array("1]}".utf8)
        } run: {
            _ = try? JSONOutline($0)
        },
        Shape("members of an object", "{", repeating: Array("\"a\":1,".utf8), "}") { _ = try? JSONOutline($0) },
        Shape("bytes of a proxy's answer, one by one", largest: 16_000, "HTTP/1.1 200 x\r\nA: ", repeating: [0x61], "")
        {
            var answer = ConnectAnswer(maximumBytes: 16_384)
            for byte in $0 { _ = answer.receive(ByteBuffer(bytes: [byte])) }
        },
        Shape("bytes of an edge's answer, one by one", largest: 16_000, "HTTP/1.1 101 x\r\nA: ", repeating: [0x61], "")
        {
            var handshake = WebSocketClientHandshake(host: "a", target: "/", fields: [])
            for byte in $0 { _ = try? handshake.receive(ByteBuffer(bytes: [byte])) }
        },
        Shape("bytes of a chunk's extension, one by one", largest: 4_000, "1;", repeating: [0x61], "") {
            var reader = BodyReader(.chunked)
            var buffer = ByteBuffer()
            for byte in $0 {
                buffer.writeInteger(byte)
                _ = try? reader.read(&buffer)
            }
        },
    ]

    @Test("Four times the bytes take no more than about four times the time", arguments: Self.shapes)
    func growth(shape: Shape) throws {
        let small = shape.bytes(shape.largest / 4)
        let large = shape.bytes(shape.largest)
        var ratio = Double.infinity
        // The least of a few: other programs on the machine can only add to it.
        for _ in 0..<6 where ratio > 7 {
            let times = try [small, large].map { bytes in
                try (0..<3).map { _ in try self.processorTime { try shape.run(bytes) } }.min() ?? 0
            }
            ratio = min(ratio, Double(times[1]) / Double(max(times[0], 1_000)))
        }
        #expect(ratio <= 7, "\(large.count) bytes take \(ratio) times as long as \(small.count)")
    }

    /// What this thread takes of the processor, in nanoseconds.
    private func processorTime(_ work: () throws -> Void) rethrows -> UInt64 {
        func now() -> UInt64 {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
        }
        let begin = now()
        try work()
        return now() - begin
    }

    // MARK: Heads

    private static func request(_ name: String, _ field: String, _ unit: String) -> Shape {
        Shape(
            name + " of a request",
            "GET /k3v9q2m7/ HTTP/1.1\r\nHost: a\r\n\(field)",
            repeating: Array(unit.utf8),
            "\r\n\r\n"
        ) { try self.passRequest($0) }
    }

    private static func response(_ name: String, _ field: String, _ unit: String) -> Shape {
        Shape(
            name + " of a response",
            "HTTP/1.1 200 OK\r\n\(field)",
            repeating: Array(unit.utf8),
            "\r\nContent-Length: 0\r\n\r\n"
        ) { try self.passResponse($0) }
    }

    /// All that is done with a head that a visitor sends.
    private static func passRequest(_ bytes: [UInt8]) throws {
        var parser = HeadParser()
        var buffer = ByteBuffer(bytes: bytes)
        let head = try #require(try parser.request(&buffer))
        _ = ErrorPage.prefersHTML(accept: head.section.values(.accept))
        let trust = VisitorTrust(
            trustedProxies: [try #require(AddressRange("10.0.0.0/8"))],
            clientIPHeader: nil,
            isTLS: true
        )
        let peer = IPAddress("10.0.0.9")
        guard case .tunnel(let id, let prefixLength) = PublicRouter(wildcardDomain: nil).route(head) else { return }
        let rewrite = RequestRewrite(
            entry: .prefix(prefixLength),
            policy: TunnelPolicy(),
            tunnelID: id,
            visitor: trust.visitor(head.section, peer: peer),
            requestID: RequestID()
        )
        _ = rewrite.head(head)
    }

    /// All that is done with a head that an origin sends, for a visitor with the longest host.
    private static func passResponse(_ bytes: [UInt8]) throws {
        var parser = HeadParser()
        var buffer = ByteBuffer(bytes: bytes)
        let head = try #require(try parser.response(&buffer))
        let urls = ResponseURLs(
            prefix: "/k3v9q2m7",
            isPathMode: true,
            scheme: "https",
            host: String(repeating: "h", count: HeadParser.longestHost),
            originHost: "localhost:3000",
            wildcardDomain: "t.example"
        )
        _ = ResponseRewrite(urls: urls).head(head, framing: .asReceived, connection: .kept)
    }
}
