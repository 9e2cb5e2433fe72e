// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol
import Testing

@testable import Mux

/// How large a message becomes (docs/protocol.md §B.3.1, I9).
@Suite("The limit of a message")
struct MessageLimitTests {
    /// Opens streams whose OPEN frames have 500 bytes or so, with a PING due behind them.
    private func messages(limit: Int) -> [ByteBuffer] {
        var session = ScriptedSession(peer: { $0.maximumStreams = 200 })
        let victim = session.open()
        _ = session.output()
        session.core.reset(victim, code: .cancelled)
        for _ in 0..<100 {
            var metadata = OpenMetadata(target: "web")
            metadata.host = String(repeating: "h", count: 255)
            _ = try? session.core.open(kind: .http, metadata: metadata, now: session.now)
        }
        return session.messages(limit: limit)
    }

    @Test("a frame larger than the limit goes out alone")
    func largeFrame() {
        var session = ScriptedSession()
        var metadata = OpenMetadata(target: String(repeating: "t", count: 255))
        metadata.host = String(repeating: "h", count: 255)
        let key = try? session.core.open(kind: .http, metadata: metadata, now: session.now)
        if let key { session.core.write(key, ByteBuffer(repeating: 1, count: 4_000)) }
        let messages = session.messages(limit: 300)
        #expect(messages.map(\.readableBytes) == [538, 4_008])
    }

    @Test("no message of OPENs with a PING behind them passes the limit", arguments: 16_000..<16_384)
    func opensAndPing(_ limit: Int) {
        let messages = self.messages(limit: limit)
        #expect(messages.count > 1)
        #expect(messages.allSatisfy { $0.readableBytes <= limit })
        let frames = messages.flatMap { message in
            var decoder = FrameDecoder(message: message)
            var frames: [Frame] = []
            while let frame = try? decoder.next() { frames.append(frame) }
            return frames
        }
        #expect(frames.compactMap(\.pingNumber).count == 1, "the PING goes out all the same")
        #expect(frames.filter { if case .open = $0 { true } else { false } }.count == 100)
    }
}
