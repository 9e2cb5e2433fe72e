// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTP1

/// A captured head as text, read when somebody looks at it.
package struct HeadText: Sendable {
    /// A field in the spelling that passed.
    package struct Field: Equatable, Sendable {
        package var name: String
        package var value: String

        /// Makes a field.
        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// The first line.
    package var line: String
    /// In the order in which they passed, with repeats.
    package var fields: [Field]

    /// Reads a head.
    ///
    /// - Parameters:
    ///   - bytes: A head that was read before, or a trailer section.
    ///   - hasLine: Whether the first line is a start line.
    package init(_ bytes: [UInt8], hasLine: Bool = true) {
        self.line = ""
        self.fields = []
        var isFirst = hasLine
        // By bytes and not by collections of them: a list has the heads of 10 000 exchanges.
        bytes.withUnsafeBufferPointer { bytes in
            var start = 0
            while start < bytes.count {
                let end = Self.index(of: UInt8(ascii: "\n"), in: bytes, from: start, to: bytes.count) ?? bytes.count
                var last = end
                if last > start, bytes[last - 1] == UInt8(ascii: "\r") { last -= 1 }
                if isFirst, end > start {
                    self.line = Self.text(bytes, start, last)
                    isFirst = false
                } else if let colon = Self.index(of: UInt8(ascii: ":"), in: bytes, from: start, to: last) {
                    var first = colon + 1
                    while first < last, Self.isSpace(bytes[first]) { first += 1 }
                    while last > first, Self.isSpace(bytes[last - 1]) { last -= 1 }
                    self.fields.append(Field(Self.text(bytes, start, colon), Self.text(bytes, first, last)))
                }
                start = end + 1
            }
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    /// The first place of a byte in a part of others.
    private static func index(of byte: UInt8, in bytes: UnsafeBufferPointer<UInt8>, from: Int, to: Int) -> Int? {
        guard from < to, let base = bytes.baseAddress else { return nil }
        return memchr(base + from, Int32(byte), to - from).map { UnsafeRawPointer($0) - UnsafeRawPointer(base) }
    }

    private static func text(_ bytes: UnsafeBufferPointer<UInt8>, _ from: Int, _ to: Int) -> String {
        Self.text(UnsafeBufferPointer(rebasing: bytes[from..<to]))
    }

    /// The first value of a field.
    ///
    /// - Parameter name: In lower case.
    package func first(_ name: String) -> String? {
        let count = name.utf8.count
        for field in self.fields where field.name.utf8.count == count {
            if field.name.asciiLowercased() == name { return field.value }
        }
        return nil
    }

    /// The parts of the first line.
    package var parts: [Substring] { self.line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false) }

    /// UTF-8, and where that is not what the bytes are, Latin-1.
    package static func text(_ bytes: some Collection<UInt8>) -> String {
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        var text = String.UnicodeScalarView()
        for byte in bytes { text.append(Unicode.Scalar(byte)) }
        return String(text)
    }

    /// The media type of a message in lower case and without parameters.
    package var mediaType: String? {
        self.first("content-type").map { $0.prefix { $0 != ";" }.trimmingSpaces().asciiLowercased() }
    }

    /// The content coding in lower case; `nil` if there is none.
    package var contentCoding: String? {
        guard let coding = self.first("content-encoding")?.asciiLowercased(), coding != "identity", !coding.isEmpty
        else {
            return nil
        }
        return coding
    }
}
