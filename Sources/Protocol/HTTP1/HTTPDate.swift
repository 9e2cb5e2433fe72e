// SPDX-License-Identifier: Apache-2.0

/// A time as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7).
package struct HTTPDate: Equatable, Sendable {
    /// Seconds since the beginning of 1970, UTC, from 0.
    package let seconds: Int

    /// - Parameter seconds: Since the beginning of 1970, UTC; what lies before it is taken for it.
    package init(seconds: Int) {
        self.seconds = max(0, seconds)
    }

    /// Reads a time, of the forms of RFC 9110 §5.6.7 the one that has to be written.
    ///
    /// The day of the week is not looked at.
    package init?(_ text: some StringProtocol) {
        // `Sun, 06 Nov 1994 08:49:37 GMT`
        let parts = text.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 6, parts[5] == "GMT", let day = Self.number(parts[1], digits: 2),
            let month = Self.months.firstIndex(where: { "\($0)" == " \(parts[2]) " }),
            let year = Self.number(parts[3], digits: 4)
        else { return nil }
        let fields = parts[4].split(separator: ":", omittingEmptySubsequences: false)
        let time = fields.compactMap { Self.number($0, digits: 2) }
        guard fields.count == 3, time.count == 3, (1...31).contains(day), time[0] < 24, time[1] < 60, time[2] <= 60
        else {
            return nil
        }
        self.init(
            seconds: Self.day(year, month + 1, day) * 86_400 + time[0] * 3_600 + time[1] * 60 + time[2]
        )
    }

    private static func number(_ text: some StringProtocol, digits: Int) -> Int? {
        guard text.utf8.count == digits, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int(text)
    }

    /// The days from 1 January 1970 to a day of the Gregorian calendar.
    private static func day(_ year: Int, _ month: Int, _ day: Int) -> Int {
        // Years that begin with March have the leap day at their end.
        let year = month > 2 ? year : year - 1
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return year * 365 + year / 4 - year / 100 + year / 400 + dayOfYear - 719_468
    }

    private static let days: [StaticString] = ["Thu, ", "Fri, ", "Sat, ", "Sun, ", "Mon, ", "Tue, ", "Wed, "]
    private static let months: [StaticString] = [
        " Jan ", " Feb ", " Mar ", " Apr ", " May ", " Jun ", " Jul ", " Aug ", " Sep ", " Oct ", " Nov ", " Dec ",
    ]

    /// Appends the text; nothing is allocated for it.
    package func write(to head: inout HeadWriter) {
        let (day, second) = self.seconds.quotientAndRemainder(dividingBy: 86_400)
        let date = Self.date(ofDay: day)
        head.literal(Self.days[day % 7])
        Self.write(date.day, to: &head)
        head.literal(Self.months[date.month - 1])
        Self.write(date.year / 100, to: &head)
        Self.write(date.year % 100, to: &head)
        head.literal(" ")
        Self.write(second / 3_600, to: &head)
        head.literal(":")
        Self.write(second / 60 % 60, to: &head)
        head.literal(":")
        Self.write(second % 60, to: &head)
        head.literal(" GMT")
    }

    private static func write(_ number: Int, to head: inout HeadWriter) {
        head.byte(UInt8(truncatingIfNeeded: 0x30 + number / 10 % 10))
        head.byte(UInt8(truncatingIfNeeded: 0x30 + number % 10))
    }

    /// The date in the Gregorian calendar, in years that begin with March so that the leap day is the last one.
    ///
    /// - Parameter day: Since the beginning of 1970, from 0.
    private static func date(ofDay day: Int) -> (year: Int, month: Int, day: Int) {
        // From 1 March of year 0, of which 400 years have 146 097 days.
        let (era, dayOfEra) = (day + 719_468).quotientAndRemainder(dividingBy: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        // Five months from March on have 153 days, and so have the five after them.
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (
            year: era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month: month,
            day: dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        )
    }
}
