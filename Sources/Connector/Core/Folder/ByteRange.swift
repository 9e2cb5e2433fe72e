// SPDX-License-Identifier: Apache-2.0

/// The part of a file that a request asks for (RFC 9110 §14).
enum ByteRange: Equatable, Sendable {
    /// The whole file: no range is asked for, or one in a form that may be ignored.
    case whole
    /// These bytes.
    case part(Range<Int>)
    /// The file has none of what is asked for.
    case unsatisfiable

    /// Reads the field `Range`; several ranges at once are answered with the whole file, as §14.2 allows.
    ///
    /// - Parameters:
    ///   - field: The field's value.
    ///   - size: The size of the file, in bytes.
    init(_ field: String?, size: Int) {
        self = .whole
        guard let field, field.lowercased().hasPrefix("bytes=") else { return }
        let parts = field.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return }
        let (first, last) = (Self.number(parts[0]), Self.number(parts[1]))
        switch (first, last) {
        case (let first?, let last?):
            guard first <= last else { return }
            self = first < size ? .part(first..<min(last, size - 1) + 1) : .unsatisfiable
        case (let first?, nil) where parts[1].isEmpty:
            self = first < size ? .part(first..<size) : .unsatisfiable
        case (nil, let length?) where parts[0].isEmpty:
            self = length > 0 && size > 0 ? .part(max(0, size - length)..<size) : .unsatisfiable
        default:
            return
        }
    }

    private static func number(_ text: Substring) -> Int? {
        guard !text.isEmpty, text.utf8.count <= 18, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int(text)
    }
}
