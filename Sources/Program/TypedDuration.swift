// SPDX-License-Identifier: Apache-2.0

/// A time as people type it: `500ms`, `30s`, `5m`, `12h` or `7d`; a number alone is seconds.
package struct TypedDuration: Equatable, Sendable {
    /// The time.
    package var milliseconds: Int64

    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("", 1000),
    ]

    /// Reads a text; `nil` if it is no time.
    package init?(_ text: String) {
        // An integer's own reader takes a sign.
        guard text.utf8.first.map({ (0x30...0x39).contains($0) }) == true,
            let unit = Self.units.first(where: { text.hasSuffix($0.suffix) }),
            let number = Int64(text.dropLast(unit.suffix.count))
        else { return nil }
        let (milliseconds, isTooLong) = number.multipliedReportingOverflow(by: unit.milliseconds)
        guard !isTooLong else { return nil }
        self.milliseconds = milliseconds
    }

    /// The time in seconds; `nil` if there is a part of one in it.
    package var wholeSeconds: Int? { self.whole(1000) }

    /// The time in hours; `nil` if there is a part of one in it.
    package var wholeHours: Int? { self.whole(3_600_000) }

    private func whole(_ unit: Int64) -> Int? {
        self.milliseconds.isMultiple(of: unit) ? Int(exactly: self.milliseconds / unit) : nil
    }
}
