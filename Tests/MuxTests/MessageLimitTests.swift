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

    /// The lengths of the messages with 100 kB of a stream, as the WebSocket frames that go out, by the peer's MAX_MESSAGE.
    private func lengths(longest: Int, limit: Int = 65_536, peerMaximum: UInt32 = 65_536) throws -> [Int] {
        var session = ScriptedSession(peer: {
            $0.maximumStreams = 1
            $0.maximumMessage = peerMaximum
            $0.initialWindow = 1 << 20
        })
        let key = session.open()
        _ = session.output()
        session.core.write(key, ByteBuffer(repeating: 1, count: 100_000))
        var encoder = WebSocketEncoder(isClient: false, seed: 1)
        var decoder = WebSocketDecoder(isServer: false, maximumMessage: 1 << 20)
        var lengths: [Int] = []
        while true {
            var batch = ByteBuffer()
            session.core.writeMessages(
                into: &batch,
                framedBy: &encoder,
                limit: limit,
                longest: longest,
                now: session.now
            )
            guard batch.readableBytes > 0 else { return lengths }
            #expect(batch.readableBytes <= limit)
            decoder.append(batch)
            while case .binary(let message)? = try decoder.next() { lengths.append(message.readableBytes) }
        }
    }

    @Test(
        "messages are a record long, or four where the path is fast, and never longer than the peer or the batch allows"
    )
    func records() throws {
        #expect(try self.lengths(longest: 16_384).allSatisfy { $0 <= 16_380 })
        #expect(try self.lengths(longest: 16_384).count == 7)
        #expect(try self.lengths(longest: 65_536) == [65_512, 34_504])
        #expect(try self.lengths(longest: 65_536, peerMaximum: 16_384).max() == 16_360)
        #expect(try self.lengths(longest: 65_536, peerMaximum: 20_000).max() == 19_976)
        #expect(try self.lengths(longest: 65_536, limit: 32_768).max() == 32_744)
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
