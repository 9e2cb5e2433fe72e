// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// A histogram of response times, in buckets of growing width: its size is fixed, and percentiles are exact to 3 %.
struct ResponseTimes: Equatable, Sendable {
    /// Each power of two, in microseconds, is cut into so many buckets.
    private static let parts = 32
    private static let partBits = 5
    /// Two weeks; a longer time counts as this one.
    private static let longest: UInt64 = 1 << 40
    private static let bucketCount = Self.bucket(of: Self.longest) + 1

    private var counts = [UInt64](repeating: 0, count: Self.bucketCount)
    /// How many times were added.
    private(set) var count: UInt64 = 0

    /// Adds the time of a response.
    mutating func add(_ time: TimeAmount) {
        self.counts[Self.bucket(of: min(UInt64(max(0, time.nanoseconds / 1_000)), Self.longest))] += 1
        self.count += 1
    }

    /// The time that the given percentage of responses did not exceed; `nil` before the first one.
    func percentile(_ percent: Int) -> TimeAmount? {
        guard self.count > 0 else { return nil }
        let rank = max(1, (self.count * UInt64(percent) + 99) / 100)
        var passed: UInt64 = 0
        for (bucket, count) in self.counts.enumerated() {
            passed += count
            if passed >= rank { return .microseconds(Int64(Self.middle(of: bucket))) }
        }
        return nil
    }

    private static func bucket(of microseconds: UInt64) -> Int {
        guard microseconds >= UInt64(Self.parts) else { return Int(microseconds) }
        let shift = 63 - microseconds.leadingZeroBitCount - Self.partBits
        return shift * Self.parts + Int(microseconds >> UInt64(shift))
    }

    private static func middle(of bucket: Int) -> UInt64 {
        guard bucket >= 2 * Self.parts else { return UInt64(bucket) }
        let shift = UInt64(bucket / Self.parts - 1)
        let lower = UInt64(bucket % Self.parts + Self.parts) << shift
        return lower + (1 << shift) / 2
    }
}
