// SPDX-License-Identifier: Apache-2.0
import HTTP1

/// The value of `Retry-After` (RFC 9110 §10.2.3): seconds, or a date.
struct RetryTime: Equatable {
    /// In how many seconds.
    let seconds: Int

    /// Reads a value; of the forms of a date the one that has to be written (RFC 9110 §5.6.7).
    ///
    /// - Parameters:
    ///   - text: The value.
    ///   - now: The time in seconds since 1970, which dates are compared with.
    init?(_ text: String, now: Int) {
        let text = text.trimmingSpaces()
        if (1...9).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            guard let seconds = Int(text) else { return nil }
            self.seconds = seconds
        } else {
            guard let date = HTTPDate(text) else { return nil }
            self.seconds = max(0, date.seconds - now)
        }
    }
}
