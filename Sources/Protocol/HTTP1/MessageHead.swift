// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// The minor version of HTTP/1.
package enum HTTPVersion: Equatable {
    case http10
    case http11
}

/// One field of a head, as places in its bytes.
package struct FieldLine {
    package var known: KnownField
    package var name: Span
    package var value: Span

    /// A range of bytes, counted from the start of the head.
    package struct Span: Equatable {
        package var start: Int32
        package var count: Int32

        package init(start: Int, count: Int) {
            self.start = Int32(truncatingIfNeeded: start)
            self.count = Int32(truncatingIfNeeded: count)
        }
    }
}

/// The bytes of a head with its fields found in them; nothing is copied, nothing becomes text until someone asks.
package struct FieldSection {
    /// The whole head, from the first byte of the start line to the empty line.
    package let bytes: ByteBuffer
    package let lines: [FieldLine]
    /// A bit for each field that is known, by the last six bits of its number: most of those that are asked for are not
    /// there.
    private let fields: UInt64

    init(bytes: ByteBuffer, lines: [FieldLine]) {
        self.bytes = bytes
        self.lines = lines
        var fields: UInt64 = 0
        for line in lines { fields |= Self.bit(of: line.known) }
        self.fields = fields
    }

    private static func bit(of field: KnownField) -> UInt64 { 1 &<< UInt64(field.rawValue) }

    /// The text of a range; bytes that are not UTF-8 are replaced, so this is for decisions and logs only.
    package func text(_ span: FieldLine.Span) -> String {
        self.bytes.getString(at: self.bytes.readerIndex + Int(span.start), length: Int(span.count)) ?? ""
    }

    /// The text of the beginning of a range, as ``text(_:)`` has it: what is not UTF-8 takes long to replace.
    package func text(_ span: FieldLine.Span, atMost limit: Int) -> String {
        self.text(FieldLine.Span(start: Int(span.start), count: min(limit, Int(span.count))))
    }

    /// The text of a range with one scalar a byte, from which the bytes can be had again.
    package func latin1Text(_ span: FieldLine.Span) -> String {
        var text = String.UnicodeScalarView()
        let bytes = self.bytes.viewBytes(at: self.bytes.readerIndex + Int(span.start), length: Int(span.count))
        for byte in bytes ?? self.bytes.readableBytesView.prefix(0) { text.append(Unicode.Scalar(byte)) }
        return String(text)
    }

    /// The values of a field in the order they came.
    package func values(_ field: KnownField) -> [String] {
        guard self.contains(field) else { return [] }
        return self.lines.filter { $0.known == field }.map { self.text($0.value) }
    }

    package func first(_ field: KnownField) -> String? {
        guard self.contains(field) else { return nil }
        return self.lines.first { $0.known == field }.map { self.text($0.value) }
    }

    package func contains(_ field: KnownField) -> Bool {
        self.fields & Self.bit(of: field) != 0 && self.lines.contains { $0.known == field }
    }

    /// Appends a range of the head to a buffer.
    package func copy(_ span: FieldLine.Span, to buffer: inout ByteBuffer) {
        self.bytes.withUnsafeReadableBytes { bytes in
            let range = Int(span.start)..<Int(span.start) + Int(span.count)
            buffer.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[range]))
        }
    }

    /// Appends a field as it came.
    package func copy(_ line: FieldLine, to buffer: inout ByteBuffer) {
        if let whole = self.usualSpelling(line) { return self.copy(whole, to: &buffer) }
        self.copy(line.name, to: &buffer)
        buffer.writeStaticString(": ")
        self.copy(line.value, to: &buffer)
        buffer.writeStaticString("\r\n")
    }

    /// The whole line, if it is spelt as we would: one space after the colon and none at the end.
    private func usualSpelling(_ line: FieldLine) -> FieldLine.Span? {
        let (nameEnd, valueEnd) = (Int(line.name.start + line.name.count), Int(line.value.start + line.value.count))
        let start = self.bytes.readerIndex
        guard Int(line.value.start) == nameEnd + 2, self.bytes.getInteger(at: start + nameEnd + 1) == UInt8(0x20),
            self.bytes.getInteger(at: start + valueEnd) == UInt8(0x0D)
        else { return nil }
        return FieldLine.Span(start: Int(line.name.start), count: valueEnd + 2 - Int(line.name.start))
    }

    /// Every field as text, for those who work with text: the control API and the connectors' handshake.
    package var textFields: [(name: String, value: String)] {
        self.lines.map { (self.text($0.name), self.text($0.value)) }
    }
}

/// A request's head (RFC 9112 §3).
///
/// An object, though it never changes: half a dozen of those who handle a request hold it.
package final class RequestHead {
    package let section: FieldSection
    package let method: FieldLine.Span
    package let target: FieldLine.Span
    package let version: HTTPVersion
    /// How the body is delimited.
    package let framing: BodyFraming
    /// What the visitor wants of the connection after this exchange.
    package let isKeepAlive: Bool
    /// Whether the visitor asks for another protocol: `Upgrade` that `Connection` names.
    package let isUpgrade: Bool
    package let isHead: Bool

    init(
        section: FieldSection,
        method: FieldLine.Span,
        target: FieldLine.Span,
        version: HTTPVersion,
        framing: BodyFraming,
        isKeepAlive: Bool,
        isUpgrade: Bool,
        isHead: Bool
    ) {
        self.section = section
        self.method = method
        self.target = target
        self.version = version
        self.framing = framing
        self.isKeepAlive = isKeepAlive
        self.isUpgrade = isUpgrade
        self.isHead = isHead
    }

    /// Whether the connection can go on after an answer of the edge's own.
    ///
    /// A body that nobody reads would be in the way, and after a refused upgrade other things than requests may come
    /// (RFC 9931). Visitors with HTTP/1.0 are told nothing of keeping it, and wait for its end.
    package var outlivesEdgeAnswer: Bool {
        self.isKeepAlive && self.version == .http11 && self.framing == .none && !self.isUpgrade
    }

    package var methodText: String { self.section.text(self.method) }

    /// Whether the method is this one (RFC 9110 §9.1: methods have a case), without a text of it.
    package func hasMethod(_ name: StaticString) -> Bool {
        guard Int(self.method.count) == name.utf8CodeUnitCount else { return false }
        return self.section.bytes.withUnsafeReadableBytes { bytes in
            let range = Int(self.method.start)..<Int(self.method.start) + name.utf8CodeUnitCount
            return UnsafeRawBufferPointer(rebasing: bytes[range]).elementsEqual(
                UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
            )
        }
    }

    package var targetText: String { self.section.text(self.target) }
}

/// A response's head (RFC 9112 §4).
package struct ResponseHead {
    package var section: FieldSection
    package var status: Int
    /// What stands behind the status, which may be empty.
    package var reason: FieldLine.Span
    package var version: HTTPVersion
    /// Whether the origin will take another request on this connection: found when somebody asks.
    package var isKeepAlive: Bool { HeadParser.isKeepAlive(self.section, self.version) }

    package var isInformational: Bool { (100..<200).contains(self.status) }
}

extension StringProtocol {
    /// With A to Z in lower case, and nothing else changed.
    package func asciiLowercased() -> String {
        // Byte by byte, not by scalars: lists of thousands of heads ask for it.
        String(decoding: self.utf8.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }

    /// Without spaces and tabs at either end (RFC 9110 §5.6.3).
    package func trimmingSpaces() -> String {
        var bytes = Substring(self).utf8
        while let first = bytes.first, first == 0x20 || first == 0x09 { bytes.removeFirst() }
        while let last = bytes.last, last == 0x20 || last == 0x09 { bytes.removeLast() }
        return String(Substring(bytes))
    }
}
