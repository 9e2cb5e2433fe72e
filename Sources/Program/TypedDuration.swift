// SPDX-License-Identifier: Apache-2.0

/// A time as people type it: `500ms`, `30s`, `5m`, `12h` or `7d`; a number alone is seconds.
package struct TypedDuration: Equatable, Sendable {
    /// The time.
    package var milliseconds: Int64

    /// The units, the smallest first.
    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
    ]

    /// A time of so many milliseconds.
    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// Reads a text; `nil` if it is no time.
    package init?(_ text: String) {
        let unit = Self.units.first { text.hasSuffix($0.suffix) } ?? (suffix: "", milliseconds: 1000)
        // An integer's own reader takes a sign.
        guard text.utf8.first.map({ (0x30...0x39).contains($0) }) == true,
            let number = Int64(text.dropLast(unit.suffix.count))
        else { return nil }
        let (milliseconds, isTooLong) = number.multipliedReportingOverflow(by: unit.milliseconds)
        guard !isTooLong else { return nil }
        self.milliseconds = milliseconds
    }

    /// The time in the largest unit of which it is a whole number.
    package var text: String {
        let unit = Self.units.last { self.milliseconds > 0 && self.milliseconds.isMultiple(of: $0.milliseconds) }
        return "\(self.milliseconds / (unit?.milliseconds ?? 1))\(unit?.suffix ?? "ms")"
    }

    /// A unit that a setting counts in whole numbers.
    package enum Count: String, Sendable {
        case seconds
        case hours
    }

    /// How many of a unit the time has; `nil` if there is a part of one in it.
    package func whole(_ count: Count) -> Int? { count == .seconds ? self.wholeSeconds : self.wholeHours }

    /// What a setting that counts a unit has to be, after "has to be".
    package static func requirement(of count: Count, in range: ClosedRange<Int>) -> String {
        "a number of \(count.rawValue) from \(range.lowerBound) to \(range.upperBound), or a time as "
            + (count == .seconds ? "30s or 5m" : "12h or 3d")
    }

    /// The time in seconds; `nil` if there is a part of one in it.
    package var wholeSeconds: Int? { self.whole(1000) }

    /// The time in hours; `nil` if there is a part of one in it.
    package var wholeHours: Int? { self.whole(3_600_000) }

    private func whole(_ unit: Int64) -> Int? {
        self.milliseconds.isMultiple(of: unit) ? Int(exactly: self.milliseconds / unit) : nil
    }
}
