// SPDX-License-Identifier: Apache-2.0

/// Comparison whose duration says nothing about where two secrets differ.
package enum ConstantTime {
    /// Whether two byte strings are equal; only a difference in length is told early.
    package static func equal(_ one: some Collection<UInt8>, _ other: some Collection<UInt8>) -> Bool {
        guard one.count == other.count else { return false }
        var difference: UInt8 = 0
        for (left, right) in zip(one, other) { difference |= left ^ right }
        return difference == 0
    }
}
