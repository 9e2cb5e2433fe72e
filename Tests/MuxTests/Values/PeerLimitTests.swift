// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol
import Testing

@testable import Mux

/// Every limit of docs/protocol.md §B.12 answers with its code and is counted.
@Suite("Limits, their codes and their counters (B.12)")
struct PeerLimitTests {
    /// Does what passes a limit by one.
    private func pass(_ limit: PeerLimit) -> ScriptedSession {
        var session = ScriptedSession { $0.settings.maximumStreams = 5_000 }
        switch limit {
        case .helloWait:
            session = ScriptedSession(unconnected: .edge)
            session.tick(after: .seconds(10))
        case .streams:
            session = ScriptedSession { $0.settings.maximumStreams = 1 }
            session.receive(.opening(2), .opening(4))
        case .opens:
            for number in 1...4_001 as ClosedRange<UInt32> {
                session.receive(.opening(StreamID(rawValue: 2 * number)))
            }
        case .messageSize:
            // The decoder of the WebSocket sees it: X9 sends such messages.
            session.core.transportFailed(ProtocolViolation(exceeding: .messageSize, "WebSocket: too large"))
        case .openSize: session.receive(message: Self.open(entries: [8_181]))
        case .entries: session.receive(message: Self.open(entries: Array(repeating: 0, count: 65)))
        case .pings:
            for number in 1...201 as ClosedRange<UInt64> {
                session.receive(.ping(number))
                _ = session.output()
            }
        case .unansweredPings: session.receive((1...17 as ClosedRange<UInt64>).map { .ping($0) })
        case .windowUpdates:
            for offset in 1...257 as ClosedRange<UInt64> {
                session.receive(.windowUpdate(.session, offset: 16_777_216 + offset))
            }
        case .smallData:
            let key = session.accepted(2)
            for _ in 0..<401 {
                session.receive((0..<100).map { _ in .bytes(2, 1) })
                _ = session.drain(key)
                _ = session.output()
            }
        case .lateFrames:
            var stream = ScriptedStream(.closed)
            for _ in 0..<1_005 { stream.session.receive(.blocked(2, offset: 9)) }
            session = stream.session
        case .glitches: for _ in 0..<1_001 { session.receive(.pong(1)) }
        case .extensionBytes: for _ in 0..<2 { session.receive(.extension(type: 0x80, .session, length: 40_000)) }
        case .unsentOutput:
            // The channel sees it: X10 reads nothing.
            session.core.transportFailed(ProtocolViolation(exceeding: .unsentOutput, "the peer takes nothing"))
        case .unacknowledged:
            session = .resumable(.edge)
            for _ in 0..<60 {
                session.receive(.ping(1))
                session.sendKeeping()
                session.tick(after: .seconds(1))
            }
        }
        return session
    }

    /// An OPEN with entries of these lengths that no receiver knows.
    private static func open(entries: [Int]) -> ByteBuffer {
        var message = ByteBuffer()
        FrameEncoder.encode(
            .open(2, OpenFrame(kind: .http, window: 0, metadata: OpenMetadata(target: "w"))),
            into: &message
        )
        for (index, length) in entries.enumerated() {
            message.writeMultipleIntegers(UInt16(0x4000 + index), UInt16(length))
            message.writeRepeatingByte(0, count: length)
        }
        message.setInteger(UInt16(message.readableBytes - WireFormat.headerLength), at: 2)
        return message
    }

    @Test("passing a limit is answered with its code, and counted once", arguments: PeerLimit.allCases)
    func response(_ limit: PeerLimit) {
        var session = self.pass(limit)
        session.collect()
        #expect(session.core.limitHits == [limit: 1])
        switch limit {
        case .unansweredPings:
            #expect(session.endCode == nil)
            #expect(session.core.glitchCount == 1)
        case .opens:
            #expect(session.endCode == nil)
            let codes = session.output().compactMap { frame in
                if case .reject(8_002, let code, _) = frame { code } else { nil }
            }
            #expect(codes == [.overloaded])
        default:
            #expect(session.endCode == limit.code)
        }
    }

    @Test("a session within its limits counts nothing, nor does a violation that is none of a limit")
    func nothing() {
        var session = ScriptedSession()
        session.receive(.opening(2), .bytes(2, 64))
        session.receive(message: Self.open(entries: []))
        #expect(session.endCode == .protocolError)
        #expect(session.core.limitHits.isEmpty)
    }

    @Test("the names of limits are stable: they are labels of metrics")
    func names() {
        #expect(
            PeerLimit.allCases.map(\.rawValue) == [
                "hello_wait", "streams", "opens", "message_size", "open_size", "entries", "pings", "unanswered_pings",
                "window_updates", "small_data", "late_frames", "glitches", "extension_bytes", "unsent_output",
                "unacknowledged",
            ]
        )
    }
}
