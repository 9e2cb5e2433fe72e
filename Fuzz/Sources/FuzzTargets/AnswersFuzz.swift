// SPDX-License-Identifier: Apache-2.0
import NIOCore

@testable import HTTP1
@testable import Mux

/// What the connector reads of others: a proxy's answer, the edge's answer to the opening handshake, and the messages that
/// pass between visitor and local server.
///
/// Each gives the same however its bytes are split. The reader of messages that pass agrees with the strict one.
enum AnswersFuzz {
    static func check(_ input: [UInt8]) throws {
        var reader = InputReader(input)
        let choice = reader.byte()
        let seed = reader.byte()
        let bytes = ByteBuffer(bytes: reader.rest())
        switch choice & 3 {
        case 0: try self.checkProxy(bytes, seed)
        case 1: try self.checkHandshake(bytes, seed)
        case 2: try self.checkMessages(bytes, seed, .requests)
        default: try self.checkMessages(bytes, seed, .responses)
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

    // MARK: Messages that pass

    private static func checkMessages(
        _ bytes: ByteBuffer,
        _ seed: UInt8,
        _ direction: MessageReader.Direction
    ) throws {
        let steps = try self.same(bytes, seed) { self.follow($0, direction) }
        let strict = self.strictly(bytes, direction)
        for (lenient, strict) in zip(steps, strict) {
            // It understands less, and then says so.
            if case .unreadable = lenient { return }
            try Finding.unless(lenient == strict, "who looks on sees \(lenient), the strict parser \(strict)")
        }
        if case .unreadable = steps.last { return }
        try Finding.unless(steps.count >= strict.count, "who looks on sees \(steps), the strict parser \(strict)")
    }

    private static func follow(_ pieces: [ByteBuffer], _ direction: MessageReader.Direction) -> [MessageReader.Step] {
        var reader = MessageReader(direction)
        var steps: [MessageReader.Step] = []
        for piece in pieces {
            var piece = piece
            loop: while steps.count < 64 {
                let step = reader.next(&piece)
                switch step {
                case .needsMore: break loop
                case .end: steps.append(step)
                case .unreadable: return steps + [step]
                case .head(let head):
                    steps.append(step)
                    if self.isInterim(head) { reader.skipInterim() } else { reader.begin(self.body(head)) }
                }
            }
        }
        return steps
    }

    private static func isInterim(_ head: MessageOutline) -> Bool {
        guard case .response(let status) = head.start else { return false }
        return (100...199).contains(status)
    }

    private static func body(_ head: MessageOutline) -> MessageReader.Body {
        if case .response(let status) = head.start, status == 204 || status == 304 { return .none }
        switch (head.length, head.start) {
        case (.bytes(let count), _): return .length(count)
        case (.chunked, _): return .chunked
        case (.unstated, .request): return .none
        case (.unstated, .response), (.untilClose, _): return .untilClose
        }
    }

    /// What the strict parser finds up to the first thing that it refuses, in the words of the lenient one.
    private static func strictly(_ bytes: ByteBuffer, _ direction: MessageReader.Direction) -> [MessageReader.Step] {
        var steps: [MessageReader.Step] = []
        var buffer = bytes
        do throws(HTTPFault) {
            while steps.count < 64 {
                var parser = HeadParser()
                let framing: BodyFraming
                if direction == .requests {
                    guard let head = try parser.request(&buffer) else { return steps }
                    framing = head.framing
                    steps.append(.head(self.outline(head)))
                } else {
                    guard let head = try parser.response(&buffer) else { return steps }
                    framing = try BodyFraming.response(
                        head.section,
                        status: head.status,
                        version: head.version,
                        isHead: false
                    )
                    steps.append(.head(self.outline(head)))
                    if head.isInformational { continue }
                }
                var reader = BodyReader(framing)
                while try reader.read(&buffer) != nil {}
                guard reader.isComplete else { return steps }
                steps.append(.end)
            }
        } catch {
            return steps
        }
        return steps
    }

    private static func outline(_ head: RequestHead) -> MessageOutline {
        let path = head.section.latin1Text(head.target).unicodeScalars.prefix { $0 != "?" }
        let bytes = path.map { UInt8(truncatingIfNeeded: $0.value) }.prefix(MessageOutline.longestPath)
        return MessageOutline(
            start: .request(method: head.methodText, path: String(decoding: bytes, as: UTF8.self)),
            length: self.length(head.section)
        )
    }

    private static func outline(_ head: ResponseHead) -> MessageOutline {
        MessageOutline(start: .response(status: head.status), length: self.length(head.section))
    }

    private static func length(_ section: FieldSection) -> MessageOutline.Length {
        if section.contains(.transferEncoding) { return .chunked }
        return section.first(.contentLength).flatMap { UInt64($0) }.map { .bytes($0) } ?? .unstated
    }
}
