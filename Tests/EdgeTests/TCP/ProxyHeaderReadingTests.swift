// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels
import NIOCore
import NIOEmbedded
import Protocol
import Testing

@testable import EdgeTCP

@Suite("Headers of the PROXY protocol of load balancers in front")
struct ProxyHeaderReadingTests {
    private static let v4 = "PROXY TCP4 192.0.2.7 198.51.100.1 51000 22\r\n"

    private static func header(_ source: String, _ destination: String) -> ProxyHeader? {
        guard let from = IPAddress(source).flatMap({ NetworkEndpoint(address: $0.bytes, port: 51_000) }),
            let to = IPAddress(destination).flatMap({ NetworkEndpoint(address: $0.bytes, port: 22) })
        else { return nil }
        return ProxyHeader(source: from, destination: to)
    }

    private static func binary(_ command: UInt8, _ family: UInt8, _ rest: [UInt8], length: Int? = nil) -> [UInt8] {
        let length = length ?? rest.count
        return ProxyHeader.signature + [command, family, UInt8(length >> 8), UInt8(length & 0xff)] + rest
    }

    private static let addresses: [UInt8] = [192, 0, 2, 7, 198, 51, 100, 1, 0xc7, 0x38, 0, 22]

    /// What is complete, with what it says.
    private static let complete: [([UInt8], ProxyHeader?)] = [
        (Array(v4.utf8), header("192.0.2.7", "198.51.100.1")),
        (Array("PROXY TCP6 2001:db8::7 2001:db8::1 51000 22\r\n".utf8), header("2001:db8::7", "2001:db8::1")),
        (Array("PROXY TCP6 ::ffff:192.0.2.7 ::1 51000 22\r\n".utf8), header("192.0.2.7", "::1")),
        (Array("PROXY UNKNOWN\r\n".utf8), nil),
        (Array("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n".utf8), nil),
        (binary(0x21, 0x11, addresses), header("192.0.2.7", "198.51.100.1")),
        // With an extension of three bytes and a value.
        (binary(0x21, 0x11, addresses + [0x04, 0, 2, 1, 2]), header("192.0.2.7", "198.51.100.1")),
        (binary(0x20, 0x00, []), nil),
        (binary(0x20, 0x11, addresses), nil),
        (binary(0x21, 0x31, Array(repeating: 0, count: 216)), nil),
        (binary(0x21, 0x12, addresses), nil),
    ]

    @Test("A header is read whole however it comes in parts, and what is behind it stays")
    func complete() throws {
        for (bytes, header) in Self.complete {
            for count in 0..<bytes.count {
                var part = ByteBuffer(bytes: bytes.prefix(count))
                #expect(try ProxyHeader.read(from: &part) == .incomplete)
                #expect(part.readableBytes == count)
            }
            var whole = ByteBuffer(bytes: bytes + Array("behind".utf8))
            #expect(try ProxyHeader.read(from: &whole) == .complete(header))
            #expect(String(buffer: whole) == "behind")
        }
    }

    @Test("What we send we read")
    func roundTrip() throws {
        for version in [ProxyProtocol.v1, .v2] {
            for header in [nil, Self.header("192.0.2.7", "198.51.100.1"), Self.header("2001:db8::7", "2001:db8::1")] {
                var bytes = ProxyHeader.bytes(version, header)
                #expect(try ProxyHeader.read(from: &bytes) == .complete(header))
                #expect(bytes.readableBytes == 0)
            }
        }
    }

    @Test(
        "What is malformed is known as soon as it can be",
        arguments: [
            "GET / HTTP/1.1\r\n", "proxy TCP4", "PROXY\r\n", "PROXY TCP4\r\n", "PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 51000 22\n", "PROXY TCP4 192.0.2.7 198.51.100.1 51000\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 51000 22 x\r\n", "PROXY TCP4 192.0.2.7  198.51.100.1 51000 22\r\n",
            "PROXY TCP4 ::1 ::2 51000 22\r\n", "PROXY TCP6 192.0.2.7 198.51.100.1 51000 22\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 65536 22\r\n", "PROXY TCP4 192.0.2.7 198.51.100.1 -1 22\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 +1 22\r\n", "PROXY TCP4 192.0.2 198.51.100.1 1 22\r\n",
            "PROXY TCP4 192.0.2.7\0 198.51.100.1 1 22\r\n", "PROXY UNKNOWN" + String(repeating: "x", count: 100),
            "\r\n\r\n\0\r\nQUIX",
        ]
    )
    func malformedLines(text: String) {
        var bytes = ByteBuffer(string: text)
        #expect(throws: ProxyHeaderFault.malformed) { _ = try ProxyHeader.read(from: &bytes) }
    }

    @Test("A binary header of another version or command, too short for its addresses, or too long is malformed")
    func malformedBinaries() {
        for bytes in [
            Self.binary(0x11, 0x11, Self.addresses), Self.binary(0x22, 0x11, Self.addresses),
            Self.binary(0x21, 0x11, Array(Self.addresses.dropLast())), Self.binary(0x21, 0x21, Self.addresses),
            Self.binary(0x21, 0x11, [], length: 4_081), Self.binary(0x21, 0x11, [], length: 65_535),
        ] {
            var buffer = ByteBuffer(bytes: bytes)
            #expect(throws: ProxyHeaderFault.malformed) { _ = try ProxyHeader.read(from: &buffer) }
        }
    }

    @Test(
        "Bytes of any kind end in a header or a fault, and take no more than a header may have",
        .timeLimit(.minutes(1))
    )
    func anyBytes() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            guard var bytes = Self.complete.randomElement(using: &generator)?.0 else { return }
            for _ in 0..<Int.random(in: 0...3, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            var buffer = ByteBuffer(bytes: bytes)
            let reading = try? ProxyHeader.read(from: &buffer)
            if case .complete = reading { #expect(buffer.readerIndex <= ProxyHeader.maximumLength) }
            if case .incomplete = reading { #expect(buffer.readerIndex == 0, "\(bytes)") }
        }
    }

    /// A channel that begins with the handler, and what that told.
    private final class Arrival {
        let channel = EmbeddedChannel()
        var results: [Result<ProxyHeader?, ProxyHeaderFault>] = []

        init(isTrusted: Bool) throws {
            let handler = ProxyHeaderHandler(isTrusted: isTrusted, timeout: .seconds(10)) { self.results.append($0) }
            try self.channel.pipeline.syncOperations.addHandler(handler)
            try self.channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 1)).wait()
        }

        func bring(_ text: String) throws -> String {
            try self.channel.writeInbound(ByteBuffer(string: text))
            var passed = ""
            while let part = try self.channel.readInbound(as: ByteBuffer.self) { passed += String(buffer: part) }
            return passed
        }

        var fault: ProxyHeaderFault? {
            guard case .failure(let fault) = self.results.first else { return nil }
            return fault
        }
    }

    @Test("Of a trusted peer nothing passes before the header, and everything behind it, in one part or in many")
    func trusted() throws {
        let whole = try Arrival(isTrusted: true)
        #expect(try whole.bring(Self.v4 + "hello") == "hello")
        #expect(whole.results == [.success(Self.header("192.0.2.7", "198.51.100.1"))])
        #expect(try whole.bring("PROXY again") == "PROXY again")
        let dribbled = try Arrival(isTrusted: true)
        for character in Self.v4 { #expect(try dribbled.bring(String(character)) == "") }
        #expect(try dribbled.bring("hello") == "hello")
        #expect(dribbled.results.count == 1)
    }

    @Test("A trusted peer whose header is malformed, late or never comes is told of once, and nothing of it passes")
    func trustedWithout() throws {
        let malformed = try Arrival(isTrusted: true)
        #expect(try malformed.bring("GET / HTTP/1.1\r\n") == "")
        #expect(try malformed.bring(Self.v4) == "")
        #expect(malformed.fault == .malformed)
        let late = try Arrival(isTrusted: true)
        #expect(try late.bring("PROXY TC") == "")
        late.channel.embeddedEventLoop.advanceTime(by: .seconds(9))
        #expect(late.results.isEmpty)
        late.channel.embeddedEventLoop.advanceTime(by: .seconds(2))
        #expect(late.fault == .missing)
        let ended = try Arrival(isTrusted: true)
        #expect(try ended.bring("PROXY TC") == "")
        ended.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(ended.fault == .missing)
        let silent = try Arrival(isTrusted: true)
        silent.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(silent.fault == .silent)
        for arrival in [malformed, late, ended, silent] { #expect(arrival.results.count == 1) }
    }

    @Test("Of anybody else everything passes at once, but no header")
    func untrusted() throws {
        for text in ["hello", "\r\n", "PROXIMITY", "\r\n\r\n\0\r\nQUIX"] {
            let other = try Arrival(isTrusted: false)
            #expect(try other.bring(text) == text)
            #expect(try other.bring("more") == "more")
            #expect(other.results.isEmpty)
        }
        for text in [Self.v4, String(decoding: ProxyHeader.signature, as: UTF8.self) + "!"] {
            let claims = try Arrival(isTrusted: false)
            #expect(try claims.bring(text) == "")
            #expect(claims.fault == .untrusted)
        }
        let dribbled = try Arrival(isTrusted: false)
        let passed = try Self.v4.map { try dribbled.bring(String($0)) }.joined()
        #expect(passed == "PROXY")
        #expect(dribbled.fault == .untrusted)
        #expect(dribbled.results.count == 1)
    }
}
