// SPDX-License-Identifier: Apache-2.0

import Foundation

/// One JSON object a line.
enum JSONLine {
    /// Writes a value.
    static func of(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
