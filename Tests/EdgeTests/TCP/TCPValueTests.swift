// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import NIOCore
import Protocol
import Testing

@testable import EdgeTCP
@testable import EdgeTunnels

@Suite("The values of connections of TCP")
struct TCPValueTests {
    private func endpoint(_ text: String, _ port: UInt16) throws -> NetworkEndpoint {
        try #require(IPAddress(text).flatMap { NetworkEndpoint(address: $0.bytes, port: port) })
    }

    @Test("A header of PROXY v1 is one line, in the family of both addresses")
    func proxyLine() throws {
        let v4 = ProxyHeader(
            source: try self.endpoint("192.0.2.7", 51000),
            destination: try self.endpoint("198.51.100.1", 22)
        )
        #expect(String(buffer: ProxyHeader.bytes(.v1, v4)) == "PROXY TCP4 192.0.2.7 198.51.100.1 51000 22\r\n")
        let v6 = ProxyHeader(
            source: try self.endpoint("2001:db8::7", 1),
            destination: try self.endpoint("2001:db8::1", 2)
        )
        #expect(String(buffer: ProxyHeader.bytes(.v1, v6)) == "PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n")
        let mixed = ProxyHeader(source: try self.endpoint("192.0.2.7", 1), destination: try self.endpoint("::1", 2))
        #expect(String(buffer: ProxyHeader.bytes(.v1, mixed)) == "PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n")
        #expect(String(buffer: ProxyHeader.bytes(.v1, nil)) == "PROXY UNKNOWN\r\n")
        #expect(ProxyHeader.bytes(.off, v4).readableBytes == 0)
    }

    @Test("A header of PROXY v2 has the signature, the family, the length, the addresses and the ports")
    func proxyBinary() throws {
        let v4 = ProxyHeader(
            source: try self.endpoint("192.0.2.7", 0x0102),
            destination: try self.endpoint("198.51.100.1", 22)
        )
        #expect(
            Array(ProxyHeader.bytes(.v2, v4).readableBytesView)
                == ProxyHeader.signature + [0x21, 0x11, 0, 12, 192, 0, 2, 7, 198, 51, 100, 1, 1, 2, 0, 22]
        )
        let mixed = ProxyHeader(source: try self.endpoint("192.0.2.7", 1), destination: try self.endpoint("::1", 2))
        let bytes = Array(ProxyHeader.bytes(.v2, mixed).readableBytesView)
        #expect(bytes.count == 52)
        #expect(Array(bytes[12..<16]) == [0x21, 0x21, 0, 36])
        #expect(Array(bytes[26..<32]) == [0xff, 0xff, 192, 0, 2, 7])
        #expect(Array(ProxyHeader.bytes(.v2, nil).readableBytesView) == ProxyHeader.signature + [0x20, 0, 0, 0])
    }

    @Test("A pace lets a burst pass and then holds reads, so that the bytes come at the rate")
    func pace() {
        let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
        let pace = Held(BytePace(bytesPerSecond: 1_000, now: start))
        #expect(pace.does { $0.read(100, now: start) } == .zero)
        #expect(pace.does { $0.read(500, now: start) } == .milliseconds(500))
        #expect(pace.does { $0.read(500, now: start + .milliseconds(500)) } == .milliseconds(500))
        // Who was quiet for long has a burst again, and no more.
        #expect(pace.does { $0.read(100, now: start + .seconds(60)) } == .zero)
        #expect(pace.does { $0.read(100, now: start + .seconds(60)) } == .milliseconds(100))
    }

    @Test("What crosses between event loops is bounded, and an acknowledgement always comes before the bound blocks")
    func crossing() {
        var (sender, receiver) = (CrossingCredit(), CrossingCredit())
        var underWay = 0
        var passed = 0
        while passed < 4 << 20 {
            while sender.hasRoom {
                sender.left(10_000)
                underWay += 10_000
            }
            #expect(underWay < CrossingCredit.limit + 10_000)
            var acknowledged = 0
            while acknowledged == 0 {
                // Never without end: what is under way is more than what an acknowledgement waits for.
                guard underWay > 0 else {
                    Issue.record("nobody acknowledges")
                    return
                }
                underWay -= 10_000
                passed += 10_000
                acknowledged = receiver.took(10_000)
            }
            sender.acknowledged(acknowledged)
        }
    }

    @Test("What a visitor sends before the stream is taken is kept up to a bound")
    func firstBytes() {
        var bytes = FirstBytes()
        var reads = 0
        while bytes.hasRoom {
            bytes.append(ByteBuffer(repeating: 1, count: 10_000))
            reads += 1
        }
        #expect(reads == 7)
        #expect(bytes.count == 70_000)
        #expect(bytes.parts.count == 7)
    }

    @Test("Connections are bounded altogether and by address, and places are used again")
    func places() throws {
        let places = ConnectionPlaces(limit: 3, perAddress: 2)
        let (one, other) = (IPAddress("192.0.2.1"), IPAddress("192.0.2.2"))
        func visit(_ address: IPAddress?) -> CallerAddress? {
            guard places.enter() else { return nil }
            guard let caller = places.claim(address) else {
                places.leave(claimed: nil)
                return nil
            }
            return caller
        }
        let first = try [#require(visit(one)), #require(visit(one))]
        #expect(visit(one) == nil)
        #expect(places.count == 2)
        let second = try #require(visit(other))
        #expect(visit(other) == nil)
        #expect(places.count == 3)
        places.leave(claimed: first[0])
        let third = try #require(visit(other))
        for caller in [first[1], second, third] { places.leave(claimed: caller) }
        #expect(places.count == 0)
        #expect(visit(one) != nil)
    }
}
