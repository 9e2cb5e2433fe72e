// SPDX-License-Identifier: Apache-2.0

/// Identifies a captured exchange; a greater one is younger, and so is its text.
package struct CaptureID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Milliseconds since 1970 above 20 bits that count within the millisecond.
    package let value: UInt64

    /// Makes the id with a value.
    package init(_ value: UInt64) {
        self.value = value
    }

    /// Reads the sixteen hexadecimal digits that ``description`` writes.
    package init?(_ text: some StringProtocol) {
        guard text.utf8.count == 16, text.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }),
            let value = UInt64(text, radix: 16)
        else { return nil }
        self.value = value
    }

    package static func < (left: CaptureID, right: CaptureID) -> Bool { left.value < right.value }

    /// Sixteen hexadecimal digits.
    package var description: String {
        let digits = String(self.value, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}
