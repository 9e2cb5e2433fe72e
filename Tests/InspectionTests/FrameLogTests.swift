// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import Inspection

@Suite("The messages of a WebSocket, as they are kept")
struct FrameLogTests {
    private static func frame(_ number: Int, _ random: inout SeededGenerator) -> FrameCapture {
        let kinds = FrameCapture.Kind.allCases
        let content = (0..<Int.random(in: 0...600, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random)
        }
        return FrameCapture(
            number: number,
            moment: .uptimeNanoseconds(.random(in: 0...(.max), using: &random)),
            side: Bool.random(using: &random) ? .visitor : .server,
            kind: kinds[Int.random(in: 0..<kinds.count, using: &random)],
            size: .random(in: 0...(.max), using: &random),
            decodedSize: Bool.random(using: &random) ? .random(in: 0...(.max), using: &random) : nil,
            isDeflated: Bool.random(using: &random),
            content: Bool.random(using: &random) ? content : nil
        )
    }

    private static func keep(_ frame: FrameCapture, in log: inout FrameLog) -> Int {
        let growth = log.growth(for: frame)
        return growth - log.append(frame, growth: growth)
    }

    @Test("What comes out is what went in, and what is counted is what is held")
    func roundTrip() {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(state: seed)
        var log = FrameLog()
        var frames: [FrameCapture] = []
        var counted = 0
        for number in 0..<1_000 {
            let frame = Self.frame(number, &random)
            frames.append(frame)
            counted += Self.keep(frame, in: &log)
            #expect(counted == log.bytes, "seed \(seed)")
        }
        #expect(log.frames == frames.suffix(log.count), "seed \(seed)")
        let content = frames.reduce(0) { $0 + ($1.content?.count ?? 0) }
        #expect(log.bytes >= content && log.bytes <= 3 * content, "seed \(seed): \(log.bytes) for \(content)")
        let freed = log.drop(bytes: 10_000)
        #expect(freed >= 10_000 && log.bytes == counted - freed, "seed \(seed)")
        #expect(log.frames == frames.suffix(log.count) && log.count < 1_000, "seed \(seed)")
        log.shed()
        #expect(log.bytes == 0 && log.frames.isEmpty && log.total == 1_000)
        #expect(Self.keep(frames[0], in: &log) == 0 && log.frames.isEmpty && log.total == 1_001)
    }

    @Test("A thousand short messages count little more than their bytes")
    func smallMessages() {
        var log = FrameLog()
        for _ in 0..<1_000 {
            let frame = FrameCapture(
                moment: .now(),
                side: .server,
                kind: .text,
                size: 16,
                content: Array(repeating: 1, count: 16)
            )
            _ = Self.keep(frame, in: &log)
        }
        #expect(log.count == 1_000 && log.bytes <= 80_000, "\(log.bytes)")
    }

    @Test("A message for which nothing was reserved is counted and not kept")
    func unreserved() {
        var log = FrameLog()
        let frame = FrameCapture(
            moment: .now(),
            side: .server,
            kind: .text,
            size: 16,
            content: Array(repeating: 1, count: 16)
        )
        #expect(log.append(frame, growth: 0) == 0 && log.count == 0 && log.total == 1)
        #expect(log.firstNumber == nil && log.frames.isEmpty)
    }
}
