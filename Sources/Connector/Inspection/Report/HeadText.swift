// SPDX-License-Identifier: Apache-2.0

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
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            if isFirst {
                self.line = Self.text(line)
                isFirst = false
            } else if let colon = line.firstIndex(of: UInt8(ascii: ":")) {
                let value = Self.text(line[(colon + 1)...]).trimmingSpaces()
                self.fields.append(Field(Self.text(line[..<colon]), value))
            }
        }
    }

    /// The first value of a field.
    ///
    /// - Parameter name: In lower case.
    package func first(_ name: String) -> String? {
        self.fields.first { $0.name.asciiLowercased() == name }?.value
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
