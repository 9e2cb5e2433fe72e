// SPDX-License-Identifier: Apache-2.0

/// One reply of a Redis server, in version 2 of its protocol.
package enum RESPValue: Equatable, Sendable {
    /// Nothing: a key that is not there.
    case null
    case integer(Int)
    /// A short word such as `OK`.
    case status(String)
    /// A command that the server refused, and why; its first word is a code.
    case error(String)
    case string(String)
    /// A string that is no UTF-8.
    case bytes([UInt8])
    case array([RESPValue])

    /// The text of a string or status.
    package var text: String? {
        switch self {
        case .string(let text), .status(let text): text
        case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
        default: nil
        }
    }

    /// The bytes of a string, whatever they are.
    package var content: [UInt8]? {
        switch self {
        case .string(let text): Array(text.utf8)
        case .bytes(let bytes): bytes
        default: nil
        }
    }

    /// The number, also where the server gives it as text.
    package var number: Int? {
        switch self {
        case .integer(let number): number
        case .string(let text): Int(text)
        default: nil
        }
    }

    /// The elements of an array.
    package var elements: [RESPValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }
}
