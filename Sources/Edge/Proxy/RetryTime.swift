// SPDX-License-Identifier: Apache-2.0
import HTTP1

/// The value of `Retry-After` (RFC 9110 §10.2.3): seconds, or a date.
struct RetryTime: Equatable {
    /// In how many seconds.
    let seconds: Int

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Reads a value; of the forms of a date the one that has to be written (RFC 9110 §5.6.7).
    ///
    /// - Parameters:
    ///   - text: The value.
    ///   - now: The time in seconds since 1970, which dates are compared with.
    init?(_ text: String, now: Int) {
        let text = text.trimmingSpaces()
        if let seconds = Self.number(text[...], digits: 1...9) {
            self.seconds = seconds
            return
        }
        // `Sun, 06 Nov 1994 08:49:37 GMT`
        let parts = text.split(separator: " ")
        guard parts.count == 6, parts[5] == "GMT", let day = Self.number(parts[1], digits: 2...2),
            let month = Self.months.firstIndex(of: String(parts[2])), let year = Self.number(parts[3], digits: 4...4)
        else { return nil }
        let time = parts[4].split(separator: ":").compactMap { Self.number($0, digits: 2...2) }
        guard time.count == 3, (1...31).contains(day), time[0] < 24, time[1] < 60, time[2] <= 60 else { return nil }
        let days = Self.days(year, month + 1, day)
        self.seconds = max(0, days * 86_400 + time[0] * 3_600 + time[1] * 60 + time[2] - now)
    }

    private static func number(_ text: Substring, digits: ClosedRange<Int>) -> Int? {
        guard digits.contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int(text)
    }

    /// The days from 1 January 1970 to a day of the Gregorian calendar.
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        // Years that begin with March have the leap day at their end.
        let year = month > 2 ? year : year - 1
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return year * 365 + year / 4 - year / 100 + year / 400 + dayOfYear - 719_468
    }
}
