// SPDX-License-Identifier: Apache-2.0

import HTTP1

/// Fields that pass and are not kept, for who may not hold what they say in memory.
package struct DroppedFields: Equatable, Sendable {
    /// In lower case.
    private var names: Set<String>

    /// Takes names in any case.
    package init(_ names: some Sequence<String>) {
        self.names = Set(names.map { $0.asciiLowercased() })
    }

    /// Whether all fields are kept.
    package var isEmpty: Bool { self.names.isEmpty }

    /// Adds the names of others.
    package mutating func formUnion(_ other: DroppedFields) {
        self.names.formUnion(other.names)
    }

    /// Takes the lines of such fields out of a head or a trailer section.
    ///
    /// - Parameters:
    ///   - section: What passed; afterwards what is kept.
    ///   - hasLine: Whether it begins with a start line.
    /// - Returns: The names that were found, each once, as they passed.
    func remove(from section: inout [UInt8], hasLine: Bool = true) -> [String] {
        guard !self.isEmpty, !section.isEmpty else { return [] }
        var kept: [UInt8] = []
        var found: [String] = []
        var start = section.startIndex
        var isFirst = hasLine
        var isDropped = false
        while start < section.endIndex {
            let end = section[start...].firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? section.endIndex
            let line = section[start..<end]
            start = end
            // A line that begins with a space goes on with the field before it (RFC 9112 §5.2); archives may have some.
            let goesOn = line.first == UInt8(ascii: " ") || line.first == UInt8(ascii: "\t")
            if isFirst {
                isDropped = false
            } else if !goesOn {
                let name = String(decoding: line.prefix { $0 != UInt8(ascii: ":") }, as: UTF8.self)
                isDropped = line.contains(UInt8(ascii: ":")) && self.names.contains(name.asciiLowercased())
                if isDropped, !found.contains(name) { found.append(name) }
            }
            isFirst = false
            if !isDropped { kept.append(contentsOf: line) }
        }
        if !found.isEmpty { section = kept }
        return found
    }
}
