// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import HTTP1

/// A request that is sent to the local server once more: the captured bytes with as little changed as can be.
///
/// How the body is delimited is always made from the body that is sent; `Expect` goes, because nobody waits for a 100; and
/// the connection is for this request alone. Without an edit of the fields, `Culvert-Replay` names the original.
package struct ReplayRequest: Equatable, Sendable {
    /// The head.
    package let head: [UInt8]
    /// The body as it is sent: with chunks if there are trailers.
    package let body: [UInt8]
    /// What it repeats.
    package let original: CaptureID

    /// The field that names the original.
    package static let field = "Culvert-Replay"

    private struct Line {
        var name: String
        var value: String
        var bytes: [UInt8]
    }

    /// Why an exchange can't be repeated as it is; `nil` if it can.
    package static func refusal(of view: ExchangeView, hasOwnBody: Bool = false) -> ProblemDetails? {
        let state = view.exchange.state
        switch state.kind {
        case .websocket, .upgrade, .opaque:
            return .inspector(
                409,
                "not_replayable",
                "A connection that was upgraded, or is not HTTP, can't be sent again."
            )
        case .http, .events: break
        }
        guard !state.request.head.isEmpty else {
            return .inspector(409, "not_replayable", "The request's head was not kept.")
        }
        let body = state.request.body
        guard hasOwnBody || body.isWhole else {
            return .inspector(
                409,
                "body_not_whole",
                "Only the first \(body.kept.count) of \(body.size) bytes were kept. Start culvert with a larger "
                    + "--inspect-body and let it be sent again, or send it with a body of your own."
            )
        }
        guard hasOwnBody || body.isComplete else {
            return .inspector(409, "body_not_whole", "The request has not passed to its end yet.")
        }
        return nil
    }

    /// Makes the request.
    ///
    /// - Parameters:
    ///   - view: The exchange.
    ///   - edit: What is changed.
    ///   - sign: Makes the fields of a signature of the body that is sent; they take the place of the captured ones, unless
    ///     those were edited.
    /// - Throws: ``ProblemDetails`` for what can't be repeated, and for an edit that is no HTTP.
    package init(
        repeating view: ExchangeView,
        edit: ReplayEdit = ReplayEdit(),
        sign: (([UInt8]) -> [HeadText.Field])? = nil
    ) throws(ProblemDetails) {
        if let refusal = Self.refusal(of: view, hasOwnBody: edit.body != nil) { throw refusal }
        let request = view.exchange.state.request
        let method = edit.method ?? view.method
        let target = edit.target ?? view.target
        guard Self.isToken(method) else { throw .malformedEdit("“\(method)” is not a method.") }
        guard Self.isTarget(target) else { throw .malformedEdit("A target has no spaces and no control characters.") }
        let captured = Self.lines(of: request.head)
        var lines =
            try edit.fields.map { fields throws(ProblemDetails) in try Self.lines(of: fields, like: captured) }
            ?? captured
        let content = edit.body ?? request.body.kept
        if let sign { Self.renew(sign(content), in: &lines, captured: captured) }
        let hadBody = lines.contains { Self.isFraming($0.name) }
        lines.removeAll { $0.name == "expect" }
        if edit.fields == nil {
            if edit.body != nil { lines.removeAll { $0.name == "content-encoding" } }
            lines.removeAll { $0.name == "connection" || $0.name == Self.field.asciiLowercased() }
            lines.append(Self.line("Connection", "close"))
            lines.append(Self.line(Self.field, view.exchange.id.description))
        } else if !lines.contains(where: { $0.name == "connection" }) {
            lines.append(Self.line("Connection", "close"))
        }
        let isChunked = !request.trailers.isEmpty && edit.body == nil
        let place = lines.firstIndex { Self.isFraming($0.name) }
        lines.removeAll { Self.isFraming($0.name) }
        if isChunked {
            lines.insert(Self.line("Transfer-Encoding", "chunked"), at: min(place ?? lines.count, lines.count))
        } else if !content.isEmpty || hadBody {
            lines.insert(Self.line("Content-Length", "\(content.count)"), at: min(place ?? lines.count, lines.count))
        }
        // A start line that is not edited passes byte for byte, whatever its bytes are.
        let isSameStart = edit.method == nil && edit.target == nil
        let start =
            isSameStart
            ? Array(request.head.prefix { $0 != 0x0A }) + [0x0A] : Array("\(method) \(target) HTTP/1.1\r\n".utf8)
        self.head = start + lines.flatMap(\.bytes) + [0x0D, 0x0A]
        self.body = isChunked ? Self.chunked(content, trailers: request.trailers) : content
        self.original = view.exchange.id
    }

    // MARK: Pieces

    private static func isFraming(_ name: String) -> Bool { name == "content-length" || name == "transfer-encoding" }

    private static func line(_ name: String, _ value: String) -> Line {
        Line(name: name.asciiLowercased(), value: value, bytes: Array("\(name): \(value)\r\n".utf8))
    }

    /// The lines of a captured head, byte for byte.
    private static func lines(of head: [UInt8]) -> [Line] {
        head.split(separator: UInt8(ascii: "\n")).dropFirst().compactMap { line in
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return nil }
            let value =
                line[(colon + 1)...].last == UInt8(ascii: "\r") ? line[(colon + 1)...].dropLast() : line[(colon + 1)...]
            return Line(
                name: HeadText.text(line[..<colon]).asciiLowercased(),
                value: HeadText.text(value).trimmingSpaces(),
                bytes: Array(line) + [0x0A]
            )
        }
    }

    /// Gives fields new values, where they have those that were captured.
    private static func renew(_ fields: [HeadText.Field], in lines: inout [Line], captured: [Line]) {
        for field in fields {
            guard let old = captured.first(where: { $0.name == field.name }) else { continue }
            for index in lines.indices where lines[index].name == field.name && lines[index].value == old.value {
                let spelling = HeadText.text(lines[index].bytes.prefix { $0 != UInt8(ascii: ":") })
                lines[index] = Self.line(spelling, field.value)
            }
        }
    }

    /// Lines for edited fields; one that was not changed has the bytes that passed.
    private static func lines(
        of fields: [HeadText.Field],
        like captured: [Line]
    ) throws(ProblemDetails) -> [Line] {
        var lines: [Line] = []
        for field in fields {
            guard Self.isToken(field.name) else { throw .malformedEdit("“\(field.name)” is not the name of a field.") }
            guard Array(field.value.utf8).withUnsafeBytes(ByteClass.isFieldValue) else {
                throw .malformedEdit("The value of \(field.name) has control characters.")
            }
            let spelling = Array((field.name + ":").utf8)
            let unchanged = captured.first { $0.bytes.starts(with: spelling) && $0.value == field.value }
            lines.append(unchanged ?? Self.line(field.name, field.value))
        }
        return lines
    }

    private static func chunked(_ content: [UInt8], trailers: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        if !content.isEmpty {
            bytes += Array("\(String(content.count, radix: 16))\r\n".utf8) + content + [0x0D, 0x0A]
        }
        return bytes + Array("0\r\n".utf8) + trailers
    }

    private static func isToken(_ text: String) -> Bool { Array(text.utf8).withUnsafeBytes(ByteClass.isToken) }

    private static func isTarget(_ text: String) -> Bool { Array(text.utf8).withUnsafeBytes(ByteClass.isTarget) }
}

extension ProblemDetails {
    static func malformedEdit(_ detail: String) -> ProblemDetails { .inspector(400, "malformed_body", detail) }
}
