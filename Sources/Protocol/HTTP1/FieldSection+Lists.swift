// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Fields that are lists of tokens (RFC 9110 §5.6.1).
///
/// A head may consist of tens of thousands of members. None of these makes a text of each: they take time by the bytes.
extension FieldSection {
    /// The members of a list, in lower case; `nil` if there are more than the caller can do with.
    package func tokens(_ field: KnownField, atMost limit: Int) -> [String]? {
        guard self.contains(field) else { return [] }
        var tokens: [String] = []
        let isWhole = self.eachMember(of: field) { member in
            guard tokens.count < limit else { return false }
            tokens.append(Self.lowercased(member))
            return true
        }
        return isWhole ? tokens : nil
    }

    /// Whether a list has a member.
    ///
    /// - Parameter token: The member in lower case; any case is found.
    package func hasToken(_ field: KnownField, _ token: StaticString) -> Bool {
        self.contains(field) && !self.eachMember(of: field) { !ByteClass.equals($0, token) }
    }

    /// Whether a list has a member with parameters behind it or without.
    ///
    /// - Parameter token: The member in lower case; any case is found.
    package func hasToken(_ field: KnownField, _ token: StaticString, parametersMayFollow: Bool) -> Bool {
        guard parametersMayFollow else { return self.hasToken(field, token) }
        return self.contains(field)
            && !self.eachMember(of: field) { member in
                let name = member.prefix { $0 != UInt8(ascii: ";") }
                return !ByteClass.equals(UnsafeRawBufferPointer(rebasing: name), token)
            }
    }

    /// For each line, whether `Connection` names its field; empty if it names none.
    ///
    /// - Parameter kept: Fields that are never about one connection alone, in lower case, whoever names them.
    package func linesNamedByConnection(except kept: Set<String>) -> [Bool] {
        guard self.contains(.connection) else { return [] }
        var named: [Bool] = []
        var lines: [Int: [Int]]?
        _ = self.eachMember(of: .connection) { member in
            // What most requests have here, names no field.
            if ByteClass.equals(member, "keep-alive") || ByteClass.equals(member, "close") { return true }
            let table = lines ?? self.linesByName(except: kept)
            lines = table
            for index in table[Self.hash(member)] ?? [] where self.isName(of: self.lines[index], member) {
                if named.isEmpty { named = Array(repeating: false, count: self.lines.count) }
                named[index] = true
            }
            return true
        }
        return named
    }

    private func linesByName(except kept: Set<String>) -> [Int: [Int]] {
        self.bytes.withUnsafeReadableBytes { bytes in
            var table: [Int: [Int]] = [:]
            for (index, line) in self.lines.enumerated() {
                let name = UnsafeRawBufferPointer(rebasing: bytes[line.name.range])
                if !kept.contains(Self.lowercased(name)) { table[Self.hash(name), default: []].append(index) }
            }
            return table
        }
    }

    private func isName(of line: FieldLine, _ member: UnsafeRawBufferPointer) -> Bool {
        self.bytes.withUnsafeReadableBytes { bytes in
            bytes[line.name.range].elementsEqual(member) { $0.asciiLowercased == $1.asciiLowercased }
        }
    }

    /// One for all spellings of a name, and another in each process: members that share one are not found by trying.
    private static func hash(_ name: UnsafeRawBufferPointer) -> Int {
        withUnsafeTemporaryAllocation(byteCount: name.count, alignment: 1) { lowered in
            for (index, byte) in name.enumerated() { lowered[index] = byte.asciiLowercased }
            var hasher = Hasher()
            hasher.combine(bytes: UnsafeRawBufferPointer(lowered))
            return hasher.finalize()
        }
    }

    /// Goes through the members of a list, without the white space around them, while the caller wants more.
    ///
    /// - Returns: Whether the caller has seen all.
    private func eachMember(of field: KnownField, _ body: (UnsafeRawBufferPointer) -> Bool) -> Bool {
        self.bytes.withUnsafeReadableBytes { bytes in
            for line in self.lines where line.known == field {
                let value = UnsafeRawBufferPointer(rebasing: bytes[line.value.range])
                guard ListMembers.each(of: value, body) else { return false }
            }
            return true
        }
    }

    /// The bytes as Latin-1, with A to Z in lower case.
    ///
    /// Byte by byte: in Swift's text the Kelvin sign is a K, and its lower case a k.
    private static func lowercased(_ bytes: UnsafeRawBufferPointer) -> String {
        String(unsafeUninitializedCapacity: bytes.count * 2) { buffer in
            var count = 0
            for byte in bytes {
                if byte < 0x80 {
                    buffer[count] = byte.asciiLowercased
                    count += 1
                } else {
                    buffer[count] = 0xc0 | byte >> 6
                    buffer[count + 1] = 0x80 | byte & 0x3f
                    count += 2
                }
            }
            return count
        }
    }
}

/// The members of a list that commas separate (RFC 9110 §5.6.1).
package enum ListMembers {
    /// Goes through the members that are not empty, without the white space around them, while the caller wants more.
    ///
    /// A comma in a quoted string separates as well: no list that is read here has any.
    ///
    /// - Returns: Whether the caller has seen all.
    package static func each(of value: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Bool) -> Bool {
        self.each(of: value, separator: UInt8(ascii: ","), body)
    }

    /// The same with another separator, such as the semicolon between parameters.
    package static func each(
        of value: UnsafeRawBufferPointer,
        separator: UInt8,
        _ body: (UnsafeRawBufferPointer) -> Bool
    ) -> Bool {
        var start = 0
        while start < value.count {
            var end = start
            while end < value.count, value[end] != separator { end += 1 }
            let next = end + 1
            while start < end, value[start].isSpaceOrTab { start += 1 }
            while end > start, value[end - 1].isSpaceOrTab { end -= 1 }
            if start < end, !body(UnsafeRawBufferPointer(rebasing: value[start..<end])) { return false }
            start = next
        }
        return true
    }
}

extension FieldLine.Span {
    fileprivate var range: Range<Int> { Int(self.start)..<Int(self.start) + Int(self.count) }
}

extension UInt8 {
    /// Whether the byte is optional white space (RFC 9110 §5.6.3).
    fileprivate var isSpaceOrTab: Bool { self == 0x20 || self == 0x09 }
}
