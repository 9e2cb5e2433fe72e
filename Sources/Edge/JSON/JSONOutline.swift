// SPDX-License-Identifier: Apache-2.0

/// A JSON text as it was written, for the rules that decoders do not keep: no member twice, none that nobody knows.
package indirect enum JSONOutline: Equatable, Sendable {
    /// An object, its members in the order they came.
    case object([Member])
    case array([JSONOutline])
    case string(String)
    /// A number as it was written.
    case number(String)
    case boolean(Bool)
    case null

    /// One member of an object.
    package struct Member: Equatable, Sendable {
        var name: String
        var value: JSONOutline
    }

    /// Reads a text strictly by RFC 8259.
    ///
    /// - Throws: ``JSONFault`` with the line and column, or the member that is there twice.
    init(_ bytes: [UInt8]) throws(JSONFault) {
        var scanner = JSONScanner(bytes)
        self = try scanner.text()
    }
}

/// What is wrong with a JSON text.
package struct JSONFault: Error, Equatable, CustomStringConvertible {
    /// The member that is wrong, as in `policy.ip_allow[0]`; `nil` for the text as a whole.
    package let field: String?
    /// What is wrong with it: "has to be a string".
    package let message: String

    /// Makes a fault.
    ///
    /// - Parameters:
    ///   - field: The member; of a very long name only the beginning is told.
    ///   - message: What is wrong with it.
    init(field: String?, message: String) {
        self.field = field.map { $0.utf8.count <= 200 ? $0 : String($0.prefix(100)) + "…" }
        self.message = message
    }

    package var description: String { "\(self.field ?? "the text") \(self.message)" }
}

/// Where a value is in a JSON text: `policy.ip_allow[0]`.
enum JSONPath {
    /// The path of a member.
    static func member(_ name: String, of path: String) -> String {
        // A name that is empty or has odd characters would not be recognised without quotes.
        let isPlain =
            !name.isEmpty && name.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value != 0x7f && $0 != "\"" }
        let name = isPlain ? name : String(reflecting: name)
        return path.isEmpty ? name : "\(path).\(name)"
    }

    /// The path of an element.
    static func element(_ index: Int, of path: String) -> String { "\(path)[\(index)]" }
}
