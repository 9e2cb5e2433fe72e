// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol
import Testing

@testable import Mux

/// Peers that behave badly; one at a time, because some tests look at the memory of the process.
// The limit is for what hangs: a sanitizer on a busy machine takes its time.
@Suite("Adversarial peers (C.4)", .serialized, .timeLimit(.minutes(5)))
enum AdversarialPeerTests {
    /// Peers of docs/protocol.md §C.4 that misuse credit and streams, over real sockets.
    @Suite("credit and streams")
    struct CreditTests {
        @Test("X1: a first DATA larger than the initial window is a FLOW_CONTROL_ERROR and harms no other session")
        func firstDataTooLarge() async throws {
            let victim = try await Victim.start { $0.settings.initialWindow = 16_384 }
            try await RawPeer.run(against: victim) { honest, _ in
                try await honest.greet()
                try await RawPeer.run(against: victim) { peer, guarded in
                    try await peer.greet()
                    try await peer.send(.opening(1), .bytes(1, 16_385))
                    let goAway = try await peer.untilEnd()
                    #expect(goAway?.code == .flowControlError)
                    #expect(peer.closeCode == 4_003)
                    #expect(await guarded.untilEnd().code == .flowControlError)
                }
                let isAlive = try await honest.echoes(1)
                #expect(isAlive)
            }
            try await victim.stop()
        }

        @Test(
            "X2: credit of 2^62−1, 2^62 and 2^64−1 is a FLOW_CONTROL_ERROR on a stream and on the session",
            arguments: [0, 1] as [StreamID],
            [(1 << 62) - 1, 1 << 62, .max] as [UInt64]
        )
        func excessiveCredit(_ id: StreamID, _ offset: UInt64) async throws {
            let victim = try await Victim.start(.unread)
            try await RawPeer.run(against: victim) { peer, _ in
                try await peer.greet()
                try await peer.send(.opening(1), .windowUpdate(id, offset: offset))
                let goAway = try await peer.untilEnd()
                #expect(goAway?.code == .flowControlError)
            }
            try await victim.stop()
        }

        @Test("X2: credit that decreases is let pass, and the stream goes on")
        func decreasingCredit() async throws {
            let victim = try await Victim.start()
            try await RawPeer.run(against: victim) { peer, guarded in
                try await peer.greet()
                try await peer.send(
                    .opening(1),
                    .windowUpdate(1, offset: 1),
                    .windowUpdate(0, offset: 1),
                    .bytes(1, 9, isLast: true)
                )
                let echoed = try await peer.next { $0 == .bytes(1, 9, isLast: true) ? 9 : nil }
                #expect(echoed == 9)
                #expect(guarded.end == nil)
            }
            try await victim.stop()
        }

        @Test("X4: OPEN and RESET as fast as possible are paced by slots, and the session lives (3 s instead of 60)")
        func rapidReset() async throws {
            let victim = try await Victim.start { $0.settings.maximumStreams = 100 }
            try await RawPeer.run(against: victim) { peer, guarded in
                try await peer.greet()
                var granted: UInt32 = 100
                var opened: UInt32 = 0
                var refused = 0
                let end = ContinuousClock.now + .seconds(3)
                while ContinuousClock.now < end {
                    while opened < granted {
                        let id = StreamID(rawValue: 2 * opened + 1)
                        opened += 1
                        try await peer.send(.opening(id), .reset(id, .cancelled, reason: ""))
                    }
                    granted = try await peer.next { frame in
                        if case .reject = frame { refused += 1 }
                        if case .maximumStreams(let count) = frame { return count }
                        return nil
                    }
                }
                #expect(opened > 200)
                // Beyond the rate of opens streams are refused before anybody is told of them.
                #expect(guarded.openedStreams <= 4_000 + 2_000 * 4)
                try await peer.ping(99)
                #expect(guarded.end == nil)
                let left = try await guarded.withSession { $0.activeStreamCount }
                #expect(left <= 100)
            }
            try await victim.stop()
        }

        @Test(
            "X5: illegal input on a stream ends the session rather than provoking RESETs",
            arguments: [
                [.bytes(1, 5, isLast: true), .bytes(1, 5)],
                [.windowUpdate(1, offset: 1 << 40)],
                [.bytes(1, 16_000), .bytes(1, 385)],
                [.blocked(1, offset: 1 << 40)],
                [.openAck(1, OpenAckFrame())],
                [.reject(1, .cancelled, reason: "")],
            ] as [[Frame]]
        )
        func madeYouReset(_ frames: [Frame]) async throws {
            let victim = try await Victim.start(.unread) { $0.settings.initialWindow = 16_384 }
            try await RawPeer.run(against: victim) { peer, guarded in
                try await peer.greet()
                try await peer.send([.opening(1)] + frames)
                var resets = 0
                while let frame = try await peer.nextFrame() {
                    if case .reset = frame { resets += 1 }
                }
                #expect(resets == 0)
                let end = await guarded.untilEnd()
                #expect([.streamStateError, .flowControlError].contains(end.code))
                #expect(!end.isByPeer)
            }
            try await victim.stop()
        }

        @Test(
            "X6: 1 024 streams of full windows that nobody reads stay within the budget, PINGs are answered throughout"
        )
        func unreadWindows() async throws {
            let victim = try await Victim.start(.unread)
            try await RawPeer.run(against: victim) { peer, guarded in
                try await peer.greet()
                let before = residentBytes()
                var slowest = Duration.zero
                for ordinal in 0..<1_024 as Range<UInt32> {
                    let id = StreamID(rawValue: 2 * ordinal + 1)
                    try await peer.send(.opening(id), .bytes(id, 32_000))
                    try await peer.send(.bytes(id, 33_536))
                    guard ordinal % 64 == 0 else { continue }
                    let clock = ContinuousClock.now
                    try await peer.ping(UInt64(ordinal))
                    slowest = max(slowest, ContinuousClock.now - clock)
                }
                try await peer.ping(5_000)
                let buffered = try await guarded.withSession { $0.core.bufferedByteCount }
                #expect(buffered == 64 << 20)
                // The budget of this session is 128 MiB; other tests run in the same process.
                #expect(residentBytes() - before <= 141 << 20)
                #expect(
                    slowest < .seconds(2),
                    "a busy machine may be slow, a PING that waits for a consumer never comes"
                )
                try await peer.send(.opening(2_049))
                let goAway = try await peer.untilEnd()
                #expect(goAway?.code == .streamLimitError)
            }
            try await victim.stop()
        }

        @Test("X7: credit of one byte at a time is ENHANCE_CALM")
        func sillyCredit() async throws {
            let victim = try await Victim.start()
            try await RawPeer.run(against: victim) { peer, guarded in
                try await peer.greet { settings in
                    settings.maximumStreams = 10
                    settings.initialWindow = 16_384
                }
                try await peer.ping(1)
                try await guarded.withSession { session in
                    let stream = try session.openStream(kind: .tcp, metadata: OpenMetadata(target: "web")) { _ in }
                    stream.writeAndFlush(ByteBuffer(repeating: 1, count: 1 << 20), promise: nil)
                }
                try await peer.next { if case .open = $0 { true } else { nil } }
                try await peer.send(.openAck(2, OpenAckFrame()))
                var tiny = 0
                for offset in 16_385...16_800 as ClosedRange<UInt64> {
                    try await peer.send(.windowUpdate(2, offset: offset))
                }
                var goAway: GoAwayFrame?
                while let frame = try await peer.nextFrame() {
                    if case .data(_, let payload, _) = frame, payload.readableBytes < 64 { tiny += 1 }
                    if case .goAway(let frame) = frame { goAway = frame }
                }
                #expect(goAway?.code == .enhanceCalm)
                #expect(tiny <= 256 + 17)
            }
            try await victim.stop()
        }

        @Test(
            "X11: frames that the state forbids end the session with the code of their row",
            arguments: [
                ([.opening(1), .bytes(1, 1, isLast: true), .bytes(1, 1)], .streamStateError),
                ([.opening(1), .reset(1, .cancelled, reason: ""), .bytes(1, 1)], .streamStateError),
                ([.opening(1), .reset(1, .cancelled, reason: ""), .openAck(1, OpenAckFrame())], .streamStateError),
                ([.opening(1), .opening(1)], .protocolError),
                ([.opening(3)], .protocolError),
                ([.opening(2)], .protocolError),
                ([.bytes(1, 1)], .streamStateError),
                ([.hello(HelloFrame(role: .connector, settings: SessionSettings()))], .protocolError),
            ] as [([Frame], ErrorCode)]
        )
        func illegalStates(_ frames: [Frame], _ code: ErrorCode) async throws {
            let victim = try await Victim.start(.unread)
            try await RawPeer.run(against: victim) { peer, _ in
                try await peer.greet()
                try await peer.send(frames)
                let goAway = try await peer.untilEnd()
                #expect(goAway?.code == code)
                #expect(peer.closeCode == 4_000 + UInt16(code.rawValue))
            }
            try await victim.stop()
        }

        @Test(
            "X11: a frame before HELLO, a wrong role and a wrong magic are PROTOCOL_ERRORs without GOAWAY",
            arguments: 0..<3
        )
        func beforeHello(_ which: Int) async throws {
            let victim = try await Victim.start()
            try await RawPeer.run(against: victim) { peer, guarded in
                var message = ByteBuffer()
                switch which {
                case 0: FrameEncoder.encode(.ping(1), into: &message)
                case 1:
                    FrameEncoder.encode(.hello(HelloFrame(role: .edge, settings: SessionSettings())), into: &message)
                default:
                    FrameEncoder.encode(
                        .hello(HelloFrame(role: .connector, settings: SessionSettings())),
                        into: &message
                    )
                    message.setInteger(UInt8(0x58), at: 8)
                }
                try await peer.send(.binary, message)
                let goAway = try await peer.untilEnd()
                #expect(goAway == nil)
                #expect(peer.closeCode == 4_001)
                #expect(await guarded.untilEnd().code == .protocolError)
            }
            try await victim.stop()
        }

        @Test("X12: DATA on a stream that was reset is discarded up to its credit, then a FLOW_CONTROL_ERROR")
        func dataOnZombie() async throws {
            let victim = try await Victim.start(.reset)
            try await RawPeer.run(against: victim) { peer, guarded in
                try await peer.greet()
                try await peer.send(.opening(1))
                try await peer.next { if case .reset(1, _, _) = $0 { true } else { nil } }
                try await peer.send(.bytes(1, 40_000))
                try await peer.send(.bytes(1, 25_536))
                try await peer.ping(77)
                #expect(guarded.end == nil)
                try await peer.send(.bytes(1, 1))
                let goAway = try await peer.untilEnd()
                #expect(goAway?.code == .flowControlError)
            }
            try await victim.stop()
        }

        @Test("X12: after the PONG of the barrier DATA on it is a STREAM_STATE_ERROR")
        func dataAfterBarrier() async throws {
            let victim = try await Victim.start(.reset)
            try await RawPeer.run(against: victim) { peer, _ in
                try await peer.greet()
                try await peer.send(.opening(1))
                try await peer.next { if case .reset(1, _, _) = $0 { true } else { nil } }
                let barrier = try await peer.next(\.pingNumber)
                try await peer.send(.pong(barrier))
                try await peer.send(.bytes(1, 1))
                let goAway = try await peer.untilEnd()
                #expect(goAway?.code == .streamStateError)
            }
            try await victim.stop()
        }
    }
}
