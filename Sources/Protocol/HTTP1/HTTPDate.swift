// SPDX-License-Identifier: Apache-2.0

/// A time as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7).
package struct HTTPDate: Equatable, Sendable {
    /// Seconds since the beginning of 1970, UTC, from 0.
    private let seconds: Int

    /// - Parameter seconds: Since the beginning of 1970, UTC; what lies before it is taken for it.
    package init(seconds: Int) {
        self.seconds = max(0, seconds)
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
