// SPDX-License-Identifier: Apache-2.0
import NIOCore

@testable import HTTP1
@testable import Mux

/// What the connector reads of others before a connection stands: a proxy's answer, and the edge's answer to the opening
/// handshake.
///
/// Each gives the same however its bytes are split.
enum AnswersFuzz {
    static func check(_ input: [UInt8]) throws {
        var reader = InputReader(input)
        let choice = reader.byte()
        let seed = reader.byte()
        let bytes = ByteBuffer(bytes: reader.rest())
        switch choice & 1 {
        case 0: try self.checkProxy(bytes, seed)
        default: try self.checkHandshake(bytes, seed)
        }
    }

    /// Compares what comes out of each way in which bytes may arrive.
    private static func same<Outcome: Equatable>(
        _ bytes: ByteBuffer,
        _ seed: UInt8,
        _ read: ([ByteBuffer]) -> Outcome
    ) throws -> Outcome {
        let whole = read([bytes])
        for pieces in Pieces.all(of: bytes, seed: seed).dropFirst() {
            let split = read(pieces)
            try Finding.unless(split == whole, "splitting the bytes changes what is read: \(whole), \(split)")
        }
        return whole
    }

    // MARK: A proxy

    private static let maximumHead = 16_384

    private static func checkProxy(_ bytes: ByteBuffer, _ seed: UInt8) throws {
        let outcome = try self.same(bytes, seed) { pieces -> ConnectAnswer.Outcome? in
            var answer = ConnectAnswer(maximumBytes: self.maximumHead)
            for (index, piece) in pieces.enumerated() {
                guard let outcome = answer.receive(piece) else { continue }
                guard case .connected(var leftover) = outcome else { return outcome }
                for late in pieces[(index + 1)...] { leftover.writeImmutableBuffer(late) }
                return .connected(leftover: leftover)
            }
            return nil
        }
        switch outcome {
        case nil:
            try Finding.unless(bytes.readableBytes <= self.maximumHead, "a long answer is waited for")
        case .connected(let leftover):
            try Finding.unless(
                bytes.readableBytesView.suffix(leftover.readableBytes).elementsEqual(leftover.readableBytesView),
                "what follows the proxy's answer is not what came"
            )
            try Finding.unless(
                bytes.readableBytes - leftover.readableBytes <= self.maximumHead,
                "a long answer is taken"
            )
        case .refused(let status):
            try Finding.unless((300...999).contains(status), "refused with status \(status)")
        case .unreadable: break
        }
    }

    // MARK: The opening handshake

    private struct Handshake: Equatable {
        var outcome: WebSocketClientHandshake.Outcome?
        var failure: WebSocketClientHandshake.Failure?
    }

    private static func checkHandshake(_ bytes: ByteBuffer, _ seed: UInt8) throws {
        let seen = try self.same(bytes, seed) { self.handshake($0) }
        switch seen.outcome {
        case nil: break
        case .upgraded(let leftover):
            let head = String(
                decoding: bytes.readableBytesView.dropLast(leftover.readableBytes),
                as: UTF8.self
            )
            try Finding.unless(
                head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") && head.contains(WebSocketHandshake.subprotocol),
                "upgraded by \(head)"
            )
        case .refused(let refusal):
            try Finding.unless((100...999).contains(refusal.status), "refused with status \(refusal.status)")
            try Finding.unless((refusal.retryAfter ?? 0) >= 0, "a wait of \(refusal.retryAfter ?? 0) s")
            // What is not UTF-8 becomes three bytes for one.
            try Finding.unless(refusal.body.utf8.count <= 3 * 65_536, "a body of \(refusal.body.utf8.count) bytes")
        }
    }

    private static func handshake(_ pieces: [ByteBuffer]) -> Handshake {
        // The example of RFC 6455 §1.3.
        var handshake = WebSocketClientHandshake(
            host: "e.example",
            target: "/",
            fields: [],
            key: "dGhlIHNhbXBsZSBub25jZQ=="
        )
        do throws(WebSocketClientHandshake.Failure) {
            for (index, piece) in pieces.enumerated() {
                guard let outcome = try handshake.receive(piece) else { continue }
                guard case .upgraded(var leftover) = outcome else { return Handshake(outcome: outcome) }
                for late in pieces[(index + 1)...] { leftover.writeImmutableBuffer(late) }
                return Handshake(outcome: .upgraded(leftover: leftover))
            }
            return Handshake(outcome: try handshake.receivedEnd())
        } catch {
            return Handshake(failure: error)
        }
    }
}
