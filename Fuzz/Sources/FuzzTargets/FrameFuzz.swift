// SPDX-License-Identifier: Apache-2.0
import NIOCore

@testable import Protocol

/// The frame decoder on any message.
///
/// It never traps, it refuses with a registered session code, and what it took survives encoding and decoding.
enum FrameFuzz {
    static func check(_ input: [UInt8]) throws {
        let frames: [Frame]
        do {
            frames = try self.decode(ByteBuffer(bytes: input))
        } catch {
            guard let violation = error as? ProtocolViolation else { throw error }
            return try Finding.unless(
                violation.code.rawValue != 0 && violation.code.rawValue <= 0x0F,
                "a message is refused with \(violation.code), which is no session error"
            )
        }
        let encoded = self.encode(frames)
        let again: [Frame]
        do {
            again = try self.decode(encoded)
        } catch {
            throw Finding("what was encoded is refused: \(error)")
        }
        try Finding.unless(
            again.map(self.normalised) == frames.map(self.normalised),
            "encoding and decoding turned \(frames) into \(again)"
        )
        try Finding.unless(self.encode(again) == encoded, "encoding a second time gives other bytes")
    }

    static func decode(_ message: ByteBuffer) throws -> [Frame] {
        var decoder = FrameDecoder(message: message)
        var frames: [Frame] = []
        while let frame = try decoder.next() { frames.append(frame) }
        return frames
    }

    static func encode(_ frames: [Frame]) -> ByteBuffer {
        var message = ByteBuffer()
        for frame in frames { FrameEncoder.encode(frame, into: &message) }
        return message
    }

    /// Leaves out what encoding need not keep: reasons that had to be cut, and metadata that was refused anyway.
    private static func normalised(_ frame: Frame) -> Frame {
        switch frame {
        case .reject(let id, let code, _): return .reject(id, code, reason: "")
        case .reset(let id, let code, _): return .reset(id, code, reason: "")
        case .goAway(var goAway):
            goAway.reason = ""
            return .goAway(goAway)
        case .open(let id, var open):
            if case .failure = open.metadata { open.metadata = .failure(MetadataFault(reason: "")) }
            return .open(id, open)
        default: return frame
        }
    }
}
