// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// A number of bytes, as `50MiB` or `1000`.
struct ByteSize: Equatable, Sendable, ExpressibleByArgument {
    var bytes: Int

    private static let units: [(String, Int)] = [
        ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("kB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000),
        ("B", 1), ("", 1),
    ]

    init(_ bytes: Int) {
        self.bytes = bytes
    }

    init?(argument: String) {
        for (unit, factor) in Self.units where argument.hasSuffix(unit) {
            guard let number = Int(argument.dropLast(unit.count)), number >= 0 else { continue }
            let (bytes, isTooLarge) = number.multipliedReportingOverflow(by: factor)
            guard !isTooLarge else { return nil }
            self.bytes = bytes
            return
        }
        return nil
    }

    var defaultValueDescription: String {
        for (unit, factor) in Self.units.prefix(3).reversed() where self.bytes > 0 && self.bytes % factor == 0 {
            return "\(self.bytes / factor)\(unit)"
        }
        return "\(self.bytes)"
    }
}
