// SPDX-License-Identifier: Apache-2.0
import NIOCore

@testable import HTTP1

/// The reader of bodies, whatever delimits them.
///
/// It gives the same however its bytes are split, holds nothing back but an unfinished line, and passes on a body that
/// reads the same again. llhttp, unless it refuses, sees the same content and the same end.
enum ChunkedFuzz {
    static func check(_ input: [UInt8]) throws {
        var reader = InputReader(input)
        let choice = reader.byte()
        let isContentOnly = choice & 1 != 0
        let framings: [BodyFraming] = [
            .chunked, .chunked, .chunked, .length(UInt64(reader.byte())), .length(1 << 59), .untilClose, .none,
        ]
        let framing = framings[Int(choice >> 1) % framings.count]
        // As an origin's body is read; what is passed on has to be as strict readers want it.
        let isLenient = choice & 0x80 != 0
        let seed = reader.byte()
        let bytes = ByteBuffer(bytes: reader.rest())
        var first: Outcome?
        for pieces in Pieces.all(of: bytes, seed: seed) {
            let outcome = try self.read(pieces, framing, isContentOnly, isLenient)
            if let first { try self.compare(first, outcome) }
            first = first ?? outcome
        }
        guard let first, first.isComplete else { return }
        try Finding.unless(first.fault == nil, "complete, and at fault: \(first)")
        guard framing == .chunked else {
            var passed = first.passed
            passed.writeImmutableBuffer(first.leftover)
            return try Finding.unless(passed == bytes, "bytes of the body are lost")
        }
        try self.checkChunked(first, bytes, isContentOnly, isLenient)
    }

    private struct Outcome {
        var passed = ByteBuffer()
        var leftover = ByteBuffer()
        var isComplete = false
        var fault: HTTPFault?
    }

    private static func compare(_ one: Outcome, _ other: Outcome) throws {
        try Finding.unless(
            one.isComplete == other.isComplete && one.fault == other.fault,
            "splitting the bytes changes how the body ends: \(one), \(other)"
        )
        if one.fault == nil {
            try Finding.unless(
                one.passed == other.passed && one.leftover == other.leftover,
                "splitting the bytes changes what is passed on: \(one), \(other)"
            )
        } else {
            // What arrives together with the fault may not be passed on.
            try Finding.unless(
                other.passed.readableBytesView.starts(with: one.passed.readableBytesView),
                "splitting the bytes changes what is passed on before a fault: \(one), \(other)"
            )
        }
    }

    /// The longest size line, and the longest trailers, with what belongs to the chunk before.
    private static let mostHeldBack = (16 << 10) + 64

    private static func read(
        _ pieces: [ByteBuffer],
        _ framing: BodyFraming,
        _ isContentOnly: Bool,
        _ isLenient: Bool = false
    ) throws -> Outcome {
        var reader = BodyReader(framing, isLenient: isLenient)
        var outcome = Outcome()
        var buffer = ByteBuffer()
        for piece in pieces {
            buffer.writeImmutableBuffer(piece)
            guard outcome.fault == nil, !reader.isComplete else { continue }
            do throws(HTTPFault) {
                while let bytes = try reader.read(&buffer, contentOnly: isContentOnly) {
                    outcome.passed.writeImmutableBuffer(bytes)
                }
            } catch {
                outcome.fault = error
                continue
            }
            try Finding.unless(
                reader.isComplete || buffer.readableBytes <= self.mostHeldBack,
                "\(buffer.readableBytes) bytes are held back"
            )
        }
        if reader.isUntilClose { reader.connectionEnded() }
        outcome.isComplete = reader.isComplete
        outcome.leftover = buffer
        try Finding.unless(
            reader.passedBytes == outcome.passed.readableBytes,
            "\(reader.passedBytes) bytes are counted, \(outcome.passed.readableBytes) passed on"
        )
        return outcome
    }

    private static func checkChunked(
        _ outcome: Outcome,
        _ bytes: ByteBuffer,
        _ isContentOnly: Bool,
        _ isLenient: Bool
    ) throws {
        let content = isContentOnly ? outcome : try self.read([bytes], .chunked, true, isLenient)
        if !isContentOnly {
            let again = try self.read([outcome.passed], .chunked, false)
            try Finding.unless(
                again.isComplete && again.passed == outcome.passed && again.leftover.readableBytes == 0,
                "what is passed on reads otherwise: \(again.passed.shown)"
            )
            let inner = try self.read([outcome.passed], .chunked, true)
            try Finding.unless(inner.passed == content.passed, "what is passed on has another content")
        }
        let length = bytes.readableBytes - outcome.leftover.readableBytes
        let message = bytes.getSlice(at: bytes.readerIndex, length: length) ?? ByteBuffer()
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        guard let (other, _) = LlhttpOracle.body(message, head: head) else {
            return try Finding.unless(
                LlhttpOracle.isRefused(message, head: head),
                "llhttp waits for more where the body ends: \(message.shown)"
            )
        }
        try Finding.unless(other == content.passed, "llhttp sees \(other.shown), we \(content.passed.shown)")
        guard message.readableBytes > 0 else { return }
        let shorter = message.getSlice(at: message.readerIndex, length: message.readableBytes - 1) ?? ByteBuffer()
        try Finding.unless(
            LlhttpOracle.body(shorter, head: head) == nil,
            "llhttp sees the end before we do: \(message.shown)"
        )
    }
}
