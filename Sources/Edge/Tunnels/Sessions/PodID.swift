// SPDX-License-Identifier: Apache-2.0

/// An edge from its start to its end: drawn at each start, so that what a dead process left is nobody's.
package struct PodID: Hashable, Sendable, CustomStringConvertible {
    /// Ten characters.
    package let description: String

    /// Draws an id.
    package init() {
        let alphabet = Array("0123456789abcdefghijklmnopqrstuvwxyz")
        self.description = String((0..<10).map { _ in alphabet[Int.random(in: 0..<alphabet.count)] })
    }

    /// Takes an id that was drawn elsewhere.
    package init(_ text: String) {
        self.description = text
    }
}
