// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Program

/// What a command prints for programs, as JSON.
enum JSONText {
    /// Writes a value.
    static func of(_ value: some Encodable) throws -> String {
        // The encoder escapes C0 alone, and names and URLs are the edge's.
        ShownText.escaped(String(decoding: try APICoding.makeEncoder().encode(value), as: UTF8.self))
    }
}
