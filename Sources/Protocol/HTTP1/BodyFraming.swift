// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// How a body is delimited (RFC 9112 §6.3).
package enum BodyFraming: Equatable {
    case none
    /// In bytes.
    case length(UInt64)
    case chunked
    /// Responses only: to the end of the connection.
    case untilClose

    /// The framing of a request.
    ///
    /// - Throws: ``HTTPFault`` for whatever two readers could understand differently.
    package static func request(_ section: FieldSection, version: HTTPVersion) throws(HTTPFault) -> BodyFraming {
        guard section.contains(.transferEncoding) else {
            return try Self.length(of: section).map { $0 == 0 ? .none : .length($0) } ?? .none
        }
        guard !section.contains(.contentLength) else { throw .malformed("both Content-Length and Transfer-Encoding") }
        // RFC 9112 §6.1: an HTTP/1.0 message with Transfer-Encoding has a faulty framing.
        guard version == .http11 else { throw .malformed("Transfer-Encoding in HTTP/1.0") }
        guard Self.isChunked(section) else { throw .malformed("a Transfer-Encoding other than chunked") }
        return .chunked
    }

    /// The framing of a final response.
    ///
    /// RFC 9112 §6.3: a coding overrides a length, which is then not passed on; a length that is repeated is one. Whoever
    /// says both may mean something else, and is not asked again on the same connection.
    ///
    /// - Parameter isHead: Whether the request was HEAD, whose response has fields as for GET and no body.
    package static func response(
        _ section: FieldSection,
        status: Int,
        version: HTTPVersion,
        isHead: Bool
    ) throws(HTTPFault) -> BodyFraming {
        let length = try Self.length(of: section, mayRepeat: true)
        if section.contains(.transferEncoding) {
            guard version == .http11, Self.isChunked(section, mayRepeat: true) else {
                throw .malformed("a Transfer-Encoding other than chunked")
            }
        }
        if isHead || status == 204 || status == 304 || (100..<200).contains(status) { return .none }
        if section.contains(.transferEncoding) { return .chunked }
        return length.map { .length($0) } ?? .untilClose
    }

    /// Whether there is one coding and no more, not even an empty member of the list.
    ///
    /// - Parameter mayRepeat: Whether several lines may say so: servers that write the field twice code once.
    private static func isChunked(_ section: FieldSection, mayRepeat: Bool = false) -> Bool {
        let values = section.values(.transferEncoding)
        return (values.count == 1 || mayRepeat) && values.allSatisfy { $0.asciiLowercased() == "chunked" }
    }

    /// The length of a message; that of one line, the usual case, is found without a list of all.
    private static func length(of section: FieldSection, mayRepeat: Bool = false) throws(HTTPFault) -> UInt64? {
        guard section.contains(.contentLength),
            let index = section.lines.firstIndex(where: { $0.known == .contentLength })
        else { return nil }
        if !section.lines[(index + 1)...].contains(where: { $0.known == .contentLength }),
            let length = Self.number(section, section.lines[index].value)
        {
            return length
        }
        let values = section.values(.contentLength)
        return mayRepeat ? try Self.repeatedLength(values) : try Self.length(values)
    }

    /// The number that a range of a head is, without a text of it.
    private static func number(_ section: FieldSection, _ span: FieldLine.Span) -> UInt64? {
        guard span.count > 0, span.count <= 18 else { return nil }
        return section.bytes.withUnsafeReadableBytes { bytes -> UInt64? in
            var number: UInt64 = 0
            for index in Int(span.start)..<Int(span.start) + Int(span.count) {
                guard bytes[index] >= 0x30, bytes[index] <= 0x39 else { return nil }
                number = number * 10 + UInt64(bytes[index] - 0x30)
            }
            return number
        }
    }

    private static func number(_ value: String) -> UInt64? {
        guard !value.isEmpty, value.utf8.count <= 18, value.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else {
            return nil
        }
        return UInt64(value)
    }

    /// The length that all lines and members of lists agree on.
    private static func repeatedLength(_ values: [String]) throws(HTTPFault) -> UInt64? {
        var length: UInt64?
        for value in values {
            for member in value.split(separator: ",", omittingEmptySubsequences: false) {
                let next = try Self.length([member.trimmingSpaces()])
                guard length == nil || length == next else { throw .malformed("more than one Content-Length") }
                length = next
            }
        }
        return length
    }

    private static func length(_ values: [String]) throws(HTTPFault) -> UInt64? {
        guard let value = values.first else { return nil }
        guard values.count == 1 else { throw .malformed("more than one Content-Length") }
        guard let length = Self.number(value) else { throw .malformed("Content-Length is not a number") }
        return length
    }
}
