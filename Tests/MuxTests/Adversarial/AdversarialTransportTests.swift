// SPDX-License-Identifier: Apache-2.0
import Foundation
import NIOCore
import NIOPosix
import Protocol
import Testing

@testable import Mux

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

extension AdversarialPeerTests {
    /// Peers of docs/protocol.md §C.4 that misuse the connection, over real sockets.
    ///
    /// The time-outs of X15 are tested with a moved clock too, in `SessionTimersTests`.
    @Suite("the connection")
    struct TransportTests {
        @Test("X3: a million PINGs of a peer that never reads are ENHANCE_CALM after 200")
        func pingFlood() async throws {
            let victim = try await Victim.start()
            try await RawPeer.run(against: victim) { peer, guarded in
                try await peer.stopReading()
                try await peer.greet()
                let before = residentBytes()
                let batch = (0..<1_000 as Range<UInt64>).map { Frame.ping($0) }
                for _ in 0..<1_000 {
                    do { try await peer.send(batch) } catch { break }
                }
                #expect(await guarded.untilEnd().code == .enhanceCalm)
                #expect(residentBytes() - before < 32 << 20)
            }
            try await victim.stop()
        }

        @Test("X3: WebSocket pings (400 000 in the long tier) of a peer that never reads make nothing grow")
        func webSocketPingFlood() async throws {
            let victim = try await Victim.start()
            try await RawPeer.run(against: victim) { peer, guarded in
                try await peer.stopReading()
                try await peer.greet()
                let before = residentBytes()
                var batch = ByteBuffer()
                var encoder = WebSocketEncoder(isClient: true, seed: 1)
                for _ in 0..<1_000 { encoder.encode(.ping, ByteBuffer(repeating: 1, count: 125), into: &batch) }
                let rounds = ProcessInfo.processInfo.environment["CULVERT_LONG"] == "1" ? 400 : 100
                for _ in 0..<rounds { try await peer.send(bytes: batch) }
                try await peer.send(.opening(1))
                while guarded.openedStreams == 0 { await Task.yield() }
                #expect(guarded.end == nil)
                #expect(residentBytes() - before < rounds * 80_000, "their answers would be \(rounds * 127_000) bytes")
            }
            try await victim.stop()
        }

        @Test("X8: bytes that never make a message keep the session alive, silence ends it (0.8 s instead of 30)")
        func halfMessages() async throws {
            let victim = try await Victim.start { $0.settings.idleTimeoutMilliseconds = 800 }
            try await RawPeer.run(against: victim) { peer, guarded in
                try await peer.greet()
                var bytes = ByteBuffer()
                var encoder = WebSocketEncoder(isClient: true, seed: 1)
                encoder.encode(.binary, ByteBuffer(repeating: 0, count: 100), into: &bytes)
                let begun = ContinuousClock.now
                for _ in 0..<10 {
                    guard let slice = bytes.readSlice(length: 5) else { return }
                    try await peer.send(bytes: slice)
                    try await Task.sleep(for: .milliseconds(200))
                }
                let lastByte = ContinuousClock.now
                #expect(guarded.end == nil, "it ended while bytes came")
                #expect(await guarded.untilEnd().code == .keepaliveTimeout)
                #expect(lastByte - begun >= .seconds(2))
            }
            try await victim.stop()
        }

        @Test(
            "X9: messages that break the framing end with the close code of their kind",
            arguments: [
                (.spanning, 4_006), (.fragments, 1_009), (.text, 1_003), (.reserved, 1_002), (.unmasked, 1_002),
                (.tooLarge, 1_009), (.empty, 4_001),
            ] as [(BadMessage, UInt16)]
        )
        func framing(_ kind: BadMessage, _ code: UInt16) async throws {
            let victim = try await Victim.start()
            try await RawPeer.run(against: victim) { peer, guarded in
                try await peer.greet()
                try await peer.send(bytes: kind.bytes)
                _ = try await peer.untilEnd()
                #expect(peer.closeCode == code)
                #expect(await guarded.untilEnd().isByPeer == false)
                let hits = try await guarded.withSession { $0.limitHits }
                #expect(hits == (code == 1_009 ? [.messageSize: 1] : [:]))
            }
            try await victim.stop()
        }

        /// A WebSocket message that must not be sent.
        enum BadMessage: String, CaseIterable, Sendable {
            case spanning, fragments, text, reserved, unmasked, tooLarge, empty

            var bytes: ByteBuffer {
                var bytes = ByteBuffer()
                var encoder = WebSocketEncoder(isClient: true, seed: 1)
                var ping = ByteBuffer()
                FrameEncoder.encode(.ping(1), into: &ping)
                switch self {
                case .spanning: encoder.encode(.binary, ping.getSlice(at: 0, length: 12) ?? ping, into: &bytes)
                case .fragments:
                    for index in 0..<65 {
                        let start = bytes.writerIndex
                        encoder.encode(index == 0 ? .binary : .continuation, ByteBuffer(bytes: [0]), into: &bytes)
                        bytes.setInteger(UInt8(index == 0 ? 2 : 0), at: start)
                    }
                case .text: encoder.encode(.text, ping, into: &bytes)
                case .reserved:
                    encoder.encode(.binary, ping, into: &bytes)
                    bytes.setInteger(UInt8(0xC2), at: 0)
                case .unmasked:
                    var server = WebSocketEncoder(isClient: false)
                    server.encode(.binary, ping, into: &bytes)
                case .tooLarge: encoder.encode(.binary, ByteBuffer(repeating: 0, count: 65_537), into: &bytes)
                case .empty: encoder.encode(.binary, ByteBuffer(), into: &bytes)
                }
                return bytes
            }
        }

        @Test(
            "X10: a peer that reads nothing loses its session, and no other does (0.8 s instead of 30)",
            arguments: [true, false]
        )
        func neverReads(_ isTalking: Bool) async throws {
            let victim = try await Victim.start { $0.settings.idleTimeoutMilliseconds = 800 }
            try await RawPeer.run(against: victim) { peer, guarded in
                try await peer.greet { settings in
                    settings.maximumStreams = 10
                    settings.initialWindow = 16_777_216
                    settings.connectionWindow = 64 << 20
                }
                try await peer.ping(1)
                try await peer.stopReading()
                try await guarded.withSession { session in
                    for _ in 0..<3 {
                        let stream = try session.openStream(kind: .tcp, metadata: OpenMetadata(target: "web")) { _ in }
                        stream.writeAndFlush(ByteBuffer(repeating: 1, count: 16 << 20), promise: nil)
                    }
                }
                // One that goes on talking is not silent: only what waits for it shows that it does not read.
                var number: UInt64 = 2
                while isTalking, guarded.end == nil {
                    do { try await peer.send(.ping(number)) } catch { break }
                    number += 1
                    try await Task.sleep(for: .milliseconds(100))
                }
                #expect(await guarded.untilEnd().code == .keepaliveTimeout)
                let hits = try await guarded.withSession { $0.limitHits }
                #expect(!isTalking || hits == [.unsentOutput: 1])
                try await RawPeer.run(against: victim) { other, _ in
                    try await other.greet()
                    let isAlive = try await other.echoes(1)
                    #expect(isAlive)
                }
            }
            try await victim.stop()
        }

        @Test(
            "X14: floods of frames that are harmless one by one are ENHANCE_CALM",
            arguments: [
                Frame.drain(), .goAway(last: 0), .extension(type: 0x99, .session, length: 0), .pong(1),
                .maximumStreams(0),
                .extension(type: 0x99, .session, length: 16),
            ]
        )
        func floods(_ frame: Frame) async throws {
            let victim = try await Victim.start()
            try await RawPeer.run(against: victim) { peer, guarded in
                try await peer.greet()
                let batch = Array(repeating: frame, count: 500)
                for _ in 0..<20 {
                    do { try await peer.send(batch) } catch { break }
                }
                #expect(await guarded.untilEnd().code == .enhanceCalm)
            }
            try await victim.stop()
        }

        @Test("X14: an unknown critical type is UNSUPPORTED, an ignorable one is skipped")
        func unknownTypes() async throws {
            let victim = try await Victim.start()
            try await RawPeer.run(against: victim) { peer, _ in
                try await peer.greet()
                try await peer.send(
                    .extension(type: 0x80, 7, length: 9),
                    .extension(type: 0xFF, 0, length: 0),
                    .ping(3)
                )
                try await peer.next { $0 == .pong(3) ? true : nil }
                try await peer.send(.extension(type: 0x0D, 0, length: 0))
                let goAway = try await peer.untilEnd()
                #expect(goAway?.code == .unsupported)
            }
            try await victim.stop()
        }

        @Test("X14: 1 024 OPENs with 8 KiB of metadata each are taken and stay small")
        func largeMetadata() async throws {
            let victim = try await Victim.start(.unread)
            try await RawPeer.run(against: victim) { peer, guarded in
                try await peer.greet()
                let before = residentBytes()
                for ordinal in 0..<1_024 as Range<UInt32> {
                    var message = ByteBuffer()
                    FrameEncoder.encode(.opening(StreamID(rawValue: 2 * ordinal + 1)), into: &message)
                    let filler = 8_192 + 8 - message.readableBytes - 4
                    message.writeMultipleIntegers(UInt16(0x7000), UInt16(filler))
                    message.writeRepeatingByte(0, count: filler)
                    message.setInteger(UInt16(8_192), at: 2)
                    try await peer.send(.binary, message)
                }
                try await peer.ping(1)
                #expect(guarded.openedStreams == 1_024)
                #expect(residentBytes() - before < 48 << 20)
            }
            try await victim.stop()
        }

        @Test("X15: a connection reset in the middle of a transfer ends the session and its streams at once")
        func connectionReset() async throws {
            let victim = try await Victim.start(.unread)
            let end = try await RawPeer.run(against: victim) { peer, guarded in
                try await peer.greet()
                try await peer.send(.opening(1), .bytes(1, 1_000))
                try await peer.ping(1)
                let socket = try #require(peer.channel as? any SocketOptionProvider)
                try await socket.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
                peer.channel.close(promise: nil)
                return await guarded.untilEnd()
            }
            #expect(end.code == .sessionLost)
            #expect(end.isByPeer)
            try await victim.stop()
        }

        @Test("X16: single unread bytes out of messages of 60 KiB do not keep the messages in memory")
        func sliceRetention() async throws {
            let victim = try await Victim.start(.firstUnread) { $0.settings.initialWindow = 4 << 20 }
            try await RawPeer.run(against: victim) { peer, guarded in
                try await peer.greet()
                try await peer.send(.opening(1), .opening(3))
                let before = residentBytes()
                var (credit, sessionCredit) = (4 << 20, 16 << 20)
                var sent = 0
                for index in 0..<2_000 {
                    // One byte that nobody reads and 60 000 that are dropped at once share each message.
                    while sent + 60_000 > credit || sent + index + 60_001 > sessionCredit {
                        let (id, offset) = try await peer.next { frame -> (StreamID, UInt64)? in
                            if case .windowUpdate(let id, let offset) = frame { (id, offset) } else { nil }
                        }
                        if id == 3 { credit = Int(offset) }
                        if id == 0 { sessionCredit = Int(offset) }
                    }
                    try await peer.send(.bytes(1, 1), .bytes(3, 60_000))
                    sent += 60_000
                }
                try await peer.ping(9)
                // The consumer of the other bytes may still be at it.
                var buffered = 0
                for _ in 0..<200 {
                    buffered = try await guarded.withSession { $0.core.bufferedByteCount }
                    if buffered == 2_000 { break }
                    try await Task.sleep(for: .milliseconds(10))
                }
                #expect(buffered == 2_000)
                #expect(residentBytes() - before < 40 << 20, "kept whole they would be 120 MB")
            }
            try await victim.stop()
        }
    }
}
