// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Finds and checks heads in the bytes of a connection (RFC 9112 §2 to §5), strictly: what two readers could understand
/// differently is refused, everything else passes byte for byte.
///
/// Responses are read as leniently as common proxies read them where there is only one meaning; what was odd about a
/// line is not passed on.
package struct HeadParser {
    private let maximumBytes: Int
    private let maximumFields: Int
    /// How far the bytes have been searched for the end of the head.
    private var searched = 0
    /// Where the line that is being searched began.
    private var lineStart = 0
    /// Empty lines before the head that have been ignored.
    private var skippedLines = 0

    /// - Parameters:
    ///   - maximumBytes: The longest head, in bytes.
    ///   - maximumFields: The most fields of a head.
    package init(maximumBytes: Int = 64 << 10, maximumFields: Int = 128) {
        self.maximumBytes = maximumBytes
        self.maximumFields = maximumFields
    }

    /// Takes a request's head off the front of a buffer; `nil` until it is complete.
    package mutating func request(_ buffer: inout ByteBuffer) throws(HTTPFault) -> RequestHead? {
        if let (line, section) = self.takeWhole(&buffer, isLenient: false, startLine: Self.requestLine) {
            return try Self.request(line, section)
        }
        // RFC 9112 §2.2: an empty line before the request line, which some clients send after a body, is ignored.
        while self.searched == 0, self.skippedLines < 2, buffer.isAtLineEnd {
            buffer.moveReaderIndex(forwardBy: 2)
            self.skippedLines += 1
        }
        // A CR alone may become such a line.
        let first = buffer.getInteger(at: buffer.readerIndex, as: UInt8.self)
        if self.searched == 0, buffer.readableBytes == 1, first == 0x0D { return nil }
        // What begins no method is refused at once: a client that speaks something else, such as TLS, may wait for us.
        if let first, !ByteClass.isTokenByte(first) { throw .malformed("the method is not a token") }
        let found = try self.take(&buffer, isLenient: false, startLine: Self.requestLine)
        guard let (line, section) = found else { return nil }
        return try Self.request(line, section)
    }

    /// Takes a response's head off the front of a buffer; `nil` until it is complete.
    package mutating func response(_ buffer: inout ByteBuffer) throws(HTTPFault) -> ResponseHead? {
        if let (line, section) = self.takeWhole(&buffer, isLenient: true, startLine: Self.statusLine) {
            return Self.response(line, section)
        }
        // What becomes no status line is refused at once: a server that speaks something else may wait for an answer.
        guard buffer.withUnsafeReadableBytes({ ByteClass.begin($0, like: "HTTP/") }) else {
            throw .malformed("no status line")
        }
        let found = try self.take(&buffer, isLenient: true, startLine: Self.statusLine)
        return found.map { Self.response($0.line, $0.section) }
    }

    private static func response(_ line: StatusLine, _ section: FieldSection) -> ResponseHead {
        ResponseHead(
            section: section,
            status: line.status,
            reason: line.reason,
            version: line.version
        )
    }

    /// Takes the fields after a start line that is not there: the trailers of a chunked body.
    package mutating func trailers(_ buffer: inout ByteBuffer) throws(HTTPFault) -> FieldSection? {
        let none: (UnsafeRawBufferPointer) throws(HTTPFault) -> (line: Void, end: Int)? = { _ in ((), 0) }
        if let whole = self.takeWhole(&buffer, isLenient: false, startLine: none) { return whole.section }
        return try self.take(&buffer, isLenient: false, startLine: none)?.section
    }

    // MARK: Heads

    /// Takes a head that came whole and is right, as most do; `nil` of all others, of which it says nothing.
    ///
    /// It is read from the first to the last line in one pass, which finds the end.
    @inline(__always)
    private mutating func takeWhole<Line>(
        _ buffer: inout ByteBuffer,
        isLenient: Bool,
        startLine: (UnsafeRawBufferPointer) throws(HTTPFault) -> (line: Line, end: Int)?
    ) -> (line: Line, section: FieldSection)? {
        guard self.searched == 0 else { return nil }
        let found = buffer.withUnsafeReadableBytes { bytes in
            let bytes = UnsafeRawBufferPointer(rebasing: bytes.prefix(self.maximumBytes))
            return try? self.find(bytes, isLenient: isLenient, startLine: startLine)
        }
        guard let found, let bytes = buffer.readSlice(length: found.end) else { return nil }
        self.skippedLines = 0
        return (found.line, FieldSection(bytes: bytes, lines: found.lines))
    }

    /// Takes a head off the front of a buffer, with its start line as it was read; `nil` until it is complete.
    ///
    /// The end is looked for first, so that what is wrong is only told of a head that is complete.
    private mutating func take<Line>(
        _ buffer: inout ByteBuffer,
        isLenient: Bool,
        startLine: (UnsafeRawBufferPointer) throws(HTTPFault) -> (line: Line, end: Int)?
    ) throws(HTTPFault) -> (line: Line, section: FieldSection)? {
        guard let bytes = try self.head(&buffer, isLenient: isLenient) else { return nil }
        let found = try bytes.parse { raw throws(HTTPFault) in
            try self.find(raw, isLenient: isLenient, startLine: startLine)
        }
        return found.map { ($0.line, FieldSection(bytes: bytes, lines: $0.lines)) }
    }

    /// Reads a head from its first line to its last one; `nil` if its end is not there.
    @inline(__always)
    private func find<Line>(
        _ raw: UnsafeRawBufferPointer,
        isLenient: Bool,
        startLine: (UnsafeRawBufferPointer) throws(HTTPFault) -> (line: Line, end: Int)?
    ) throws(HTTPFault) -> (line: Line, lines: [FieldLine], end: Int)? {
        guard let start = try startLine(raw),
            let fields = try self.parseFields(raw, from: start.end, isLenient: isLenient)
        else { return nil }
        return (start.line, fields.lines, fields.end)
    }

    /// The bytes up to and including the empty line.
    ///
    /// - Parameter isLenient: Whether lines may end with LF alone (RFC 9112 §2.2).
    private mutating func head(_ buffer: inout ByteBuffer, isLenient: Bool) throws(HTTPFault) -> ByteBuffer? {
        let limit = self.maximumBytes
        var (searched, lineStart) = (self.searched, self.lineStart)
        let end = try buffer.parse { bytes throws(HTTPFault) -> Int? in
            let end = min(bytes.count, limit)
            while searched < end {
                guard let feed = ByteClass.firstIndex(of: 0x0A, in: bytes, searched..<end) else {
                    searched = end
                    break
                }
                searched = feed + 1
                let endsWithBoth = searched - 1 > lineStart && bytes[searched - 2] == 0x0D
                guard endsWithBoth || isLenient else { throw .malformed("a line that does not end with CR LF") }
                if searched - lineStart == (endsWithBoth ? 2 : 1) { return searched }
                lineStart = searched
            }
            return nil
        }
        guard let end else {
            guard searched < limit else { throw HTTPFault(kind: .headTooLarge, reason: "the head is too long") }
            (self.searched, self.lineStart) = (searched, lineStart)
            return nil
        }
        (self.searched, self.lineStart, self.skippedLines) = (0, 0, 0)
        guard let bytes = buffer.readSlice(length: end) else {
            throw HTTPFault(kind: .headTooLarge, reason: "the head is too long")
        }
        return bytes
    }

    // MARK: Start lines

    private struct RequestLine {
        var method: FieldLine.Span
        var target: FieldLine.Span
        var version: HTTPVersion
        var isHead: Bool
    }

    private static func requestLine(
        _ raw: UnsafeRawBufferPointer
    ) throws(HTTPFault) -> (line: RequestLine, end: Int)? {
        guard let (lineEnd, fieldsStart) = try Self.endOfLine(raw, from: 0, isLenient: false) else { return nil }
        let line = UnsafeRawBufferPointer(rebasing: raw[0..<lineEnd])
        guard let methodEnd = line.firstIndex(of: 0x20), let targetEnd = line.lastIndex(of: 0x20),
            targetEnd > methodEnd
        else { throw .malformed("the request line has not three parts") }
        let version = try Self.version(line, from: targetEnd + 1)
        guard ByteClass.isToken(UnsafeRawBufferPointer(rebasing: line[0..<methodEnd])) else {
            throw .malformed("the method is not a token")
        }
        guard ByteClass.isTarget(UnsafeRawBufferPointer(rebasing: line[methodEnd + 1..<targetEnd])) else {
            throw .malformed("the request target has a space or a control character")
        }
        let found = RequestLine(
            method: FieldLine.Span(start: 0, count: methodEnd),
            target: FieldLine.Span(start: methodEnd + 1, count: targetEnd - methodEnd - 1),
            version: version,
            isHead: methodEnd == 4 && ByteClass.begin(line, like: "HEAD")
        )
        return (found, fieldsStart)
    }

    private static func request(
        _ line: RequestLine,
        _ section: FieldSection
    ) throws(HTTPFault) -> RequestHead {
        let hosts = section.lines.count { $0.known == .host }
        guard hosts == 1 || (hosts == 0 && line.version == .http10) else {
            throw .malformed(hosts == 0 ? "no Host" : "more than one Host")
        }
        if let host = section.lines.first(where: { $0.known == .host })?.value {
            let isHost = section.bytes.withUnsafeReadableBytes { raw in
                let bytes = raw[Int(host.start)..<Int(host.start) + Int(host.count)]
                return Self.isHost(UnsafeRawBufferPointer(rebasing: bytes))
            }
            guard isHost else { throw .malformed("Host is not a host") }
        }
        return RequestHead(
            section: section,
            method: line.method,
            target: line.target,
            version: line.version,
            framing: try BodyFraming.request(section, version: line.version),
            isKeepAlive: Self.isKeepAlive(section, line.version),
            isUpgrade: line.version == .http11 && Self.isUpgrade(section)
                && section.hasToken(.connection, "upgrade"),
            isHead: line.isHead
        )
    }

    /// Whether another protocol is asked for that may be.
    ///
    /// Who asks for another version of HTTP alone goes on with requests if it isn't granted.
    private static func isUpgrade(_ section: FieldSection) -> Bool {
        section.contains(.upgrade) && section.upgrade != .hiddenRequests
    }

    private struct StatusLine {
        var status: Int
        var reason: FieldLine.Span
        var version: HTTPVersion
    }

    private static func statusLine(_ raw: UnsafeRawBufferPointer) throws(HTTPFault) -> (line: StatusLine, end: Int)? {
        guard let (lineEnd, fieldsStart) = try Self.endOfLine(raw, from: 0, isLenient: true) else { return nil }
        let line = UnsafeRawBufferPointer(rebasing: raw[0..<lineEnd])
        guard line.count >= 12, line[8] == 0x20 else { throw .malformed("no status line") }
        let version = try Self.version(UnsafeRawBufferPointer(rebasing: line[0..<8]), from: 0)
        var status = 0
        for byte in line[9..<12] {
            guard byte >= 0x30, byte <= 0x39 else { throw .malformed("the status is not a number") }
            status = status * 10 + Int(byte - 0x30)
        }
        guard (100...999).contains(status) else { throw .malformed("the status is below 100") }
        guard line.count == 12 || line[12] == 0x20 else { throw .malformed("no space after the status") }
        let reasonStart = min(13, line.count)
        guard ByteClass.isFieldValue(UnsafeRawBufferPointer(rebasing: line[reasonStart...])) else {
            throw .malformed("control characters in the status line")
        }
        let reason = FieldLine.Span(start: reasonStart, count: line.count - reasonStart)
        return (StatusLine(status: status, reason: reason, version: version), fieldsStart)
    }

    /// Whether the connection goes on (RFC 9112 §9.3): `close` is heard before anything else.
    static func isKeepAlive(_ section: FieldSection, _ version: HTTPVersion) -> Bool {
        !section.hasToken(.connection, "close")
            && (version == .http11 || section.hasToken(.connection, "keep-alive"))
    }

    private static func version(_ line: UnsafeRawBufferPointer, from start: Int) throws(HTTPFault) -> HTTPVersion {
        // What almost all say, read at once.
        if line.count == start + 8, line.loadUnaligned(fromByteOffset: start, as: UInt64.self) == Self.http11 {
            return .http11
        }
        let version = line[start...]
        guard version.count == 8, version.starts(with: "HTTP/".utf8), version[start + 6] == UInt8(ascii: ".") else {
            throw .malformed("no HTTP version")
        }
        let (major, minor) = (version[start + 5], version[start + 7])
        guard (0x30...0x39).contains(major), (0x30...0x39).contains(minor) else { throw .malformed("no HTTP version") }
        guard major == 0x31 else {
            throw HTTPFault(kind: .unsupportedVersion, reason: "only HTTP/1.0 and HTTP/1.1 are spoken here")
        }
        return minor == 0x30 ? .http10 : .http11
    }

    /// `HTTP/1.1` as it lies in memory.
    private static var http11: UInt64 { UInt64(bigEndian: 0x4854_5450_2F31_2E31) }

    /// Whether the text is a name or address with an optional port (RFC 9110 §7.2).
    ///
    /// It may be empty; it is in particular no user, path or list. What is longer than a name can be (RFC 3986 §3.2.2)
    /// is none: every reference in an answer is compared with it.
    package static func isHost(_ host: String) -> Bool {
        var host = host
        return host.withUTF8 { Self.isHost(UnsafeRawBufferPointer($0)) }
    }

    private static func isHost(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count <= Self.longestHost else { return false }
        let nameEnd: Int
        if bytes.first == UInt8(ascii: "[") {
            guard let bracket = bytes.firstIndex(of: UInt8(ascii: "]")), bracket > 1,
                bytes[1..<bracket].allSatisfy({ Self.isHexDigit($0) || $0 == 0x3A || $0 == 0x2E })
            else { return false }
            nameEnd = bracket + 1
        } else {
            nameEnd = bytes.firstIndex(of: UInt8(ascii: ":")) ?? bytes.count
            guard bytes[..<nameEnd].allSatisfy(ByteClass.isNameByte), nameEnd > 0 || bytes.isEmpty else { return false }
        }
        let port = bytes[nameEnd...]
        return port.isEmpty
            || (port.first == UInt8(ascii: ":") && port.count <= 6
                && port.dropFirst().allSatisfy { (0x30...0x39).contains($0) })
    }

    /// 255 bytes of a name, and a port.
    package static let longestHost = 261

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte | 0x20)
    }

    // MARK: Fields

    /// The fields and the place behind the empty line; `nil` if that is not there.
    ///
    /// - Parameters:
    ///   - start: Where the first field begins.
    ///   - isLenient: Whether a line without a colon is passed over, as by nginx and browsers.
    private func parseFields(
        _ raw: UnsafeRawBufferPointer,
        from start: Int,
        isLenient: Bool
    ) throws(HTTPFault) -> (lines: [FieldLine], end: Int)? {
        var lines: [FieldLine] = []
        lines.reserveCapacity(16)
        let names = FieldNames.all
        let words = UsualField.Words(raw)
        var index = start
        while true {
            if lines.count < self.maximumFields, let words, let field = UsualField(words, at: index, names) {
                lines.append(field.line)
                index = field.next
                continue
            }
            guard let (end, next) = try Self.endOfLine(raw, from: index, isLenient: isLenient) else { return nil }
            if end == index { return (lines, next) }
            guard lines.count < self.maximumFields else {
                throw HTTPFault(kind: .headTooLarge, reason: "the head has too many fields")
            }
            if let line = try Self.parseField(raw, index, end, isLenient: isLenient) { lines.append(line) }
            index = next
        }
    }

    static func parseField(
        _ raw: UnsafeRawBufferPointer,
        _ start: Int,
        _ end: Int,
        isLenient: Bool
    ) throws(HTTPFault) -> FieldLine? {
        guard raw[start] != 0x20, raw[start] != 0x09 else { throw .malformed("a field folded over two lines") }
        guard let colon = ByteClass.firstIndex(of: UInt8(ascii: ":"), in: raw, start..<end) else {
            if isLenient, !raw[start..<end].contains(0x0D), !raw[start..<end].contains(0x00) { return nil }
            throw .malformed("a field without a colon")
        }
        var nameEnd = colon
        // RFC 9112 §5.1: a proxy removes it from responses.
        while isLenient, nameEnd > start, raw[nameEnd - 1] == 0x20 || raw[nameEnd - 1] == 0x09 { nameEnd -= 1 }
        let name = UnsafeRawBufferPointer(rebasing: raw[start..<nameEnd])
        let known = KnownField(name)
        // What is known as a whole is a token; of some names only the beginning is known.
        let isPartlyKnown = known == .other || known == .xForwardedOther || known == .underscoredForwarding
        guard !isPartlyKnown || ByteClass.isToken(name) else { throw .malformed("a field name that is not a token") }
        var (valueStart, valueEnd) = (colon + 1, end)
        while valueStart < valueEnd, raw[valueStart] == 0x20 || raw[valueStart] == 0x09 { valueStart += 1 }
        while valueEnd > valueStart, raw[valueEnd - 1] == 0x20 || raw[valueEnd - 1] == 0x09 { valueEnd -= 1 }
        let value = UnsafeRawBufferPointer(rebasing: raw[valueStart..<valueEnd])
        guard isLenient ? ByteClass.isRetainedValue(value) : ByteClass.isFieldValue(value) else {
            throw .malformed("a field value with control characters")
        }
        return FieldLine(
            known: known,
            name: FieldLine.Span(start: start, count: nameEnd - start),
            value: FieldLine.Span(start: valueStart, count: valueEnd - valueStart)
        )
    }

    /// Where a line ends and the next one begins; `nil` if its end is not there.
    ///
    /// - Parameter isLenient: Whether it may end with LF alone (RFC 9112 §2.2).
    static func endOfLine(
        _ raw: UnsafeRawBufferPointer,
        from start: Int,
        isLenient: Bool
    ) throws(HTTPFault) -> (end: Int, next: Int)? {
        guard let feed = ByteClass.firstIndex(of: 0x0A, in: raw, start..<raw.count) else { return nil }
        if feed > start, raw[feed - 1] == 0x0D { return (feed - 1, feed + 1) }
        guard isLenient else { throw .malformed("a line that does not end with CR LF") }
        return (feed, feed + 1)
    }
}

extension ByteBuffer {
    fileprivate var isAtLineEnd: Bool {
        self.getInteger(at: self.readerIndex, as: UInt16.self) == 0x0D0A
    }

    /// Works on the readable bytes with a typed error, which NIO's own function would erase.
    package func parse<Value>(
        _ body: (UnsafeRawBufferPointer) throws(HTTPFault) -> Value
    ) throws(HTTPFault) -> Value {
        let result = self.withUnsafeReadableBytes { bytes -> Result<Value, HTTPFault> in
            do throws(HTTPFault) {
                return .success(try body(bytes))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}
