// SPDX-License-Identifier: Apache-2.0

/// The field `Retry-After` (RFC 9110 §10.2.3) in its form as a number of seconds.
///
/// The form as a date is ignored: it depends on two clocks, and no edge sends it.
enum RetryAfter {
    /// Reads the field's value.
    static func parse(_ value: String?) -> Duration? {
        guard let value, !value.isEmpty, value.utf8.count <= 9, value.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let seconds = Int(value)
        else { return nil }
        return .seconds(seconds)
    }
}
