// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// What passed of one body, as far as it is kept: without transfer coding, with content codings.
package struct BodyCapture: Sendable {
    /// When a piece came, by the place where it begins.
    package struct Arrival: Equatable, Sendable {
        /// The place in the content.
        package var offset: UInt64
        /// The moment.
        package var moment: NIODeadline
    }

    /// The first bytes, in memory of their own.
    package private(set) var kept: [UInt8] = []
    /// How many bytes have passed in all.
    package private(set) var size: UInt64 = 0
    /// When the pieces of an event stream came.
    package private(set) var arrivals: [Arrival] = []
    /// Whether the end has passed.
    package var isComplete = false
    /// Whether nothing more is kept: memory has gone to younger exchanges.
    private(set) var isShed = false

    /// Makes an empty one.
    package init() {}

    /// Makes one that is complete, for what was not captured here.
    package init(whole bytes: [UInt8], size: UInt64? = nil) {
        self.kept = bytes
        self.size = size ?? UInt64(bytes.count)
        self.isComplete = true
    }

    /// Makes an empty one whose end may have passed.
    @inline(__always)
    init(isComplete: Bool) {
        self.isComplete = isComplete
    }

    /// Whether all bytes that passed are kept.
    package var isWhole: Bool { UInt64(self.kept.count) == self.size }

    /// How many bytes of memory have to be reserved before the bytes can be kept.
    ///
    /// - Parameters:
    ///   - count: How many bytes come.
    ///   - expected: The length of the body, if it is known.
    ///   - limit: How many are kept at most.
    func growth(for count: Int, expected: UInt64?, limit: Int) -> Int {
        guard !self.isShed, self.isWhole else { return 0 }
        let needed = min(self.kept.count + count, limit)
        guard needed > self.kept.capacity else { return 0 }
        let known = Int(clamping: min(expected ?? 0, UInt64(Self.firstReservation)))
        return max(needed, min(limit, max(known, 2 * self.kept.capacity))) - self.kept.capacity
    }

    /// The most that is reserved for a body before its bytes have come.
    private static let firstReservation = 64 << 10

    /// Counts bytes, and keeps those that fit.
    ///
    /// - Parameters:
    ///   - bytes: What came.
    ///   - growth: How much memory was reserved for them.
    ///   - isRefused: Whether there is no memory for them: the body stays cut where it is.
    ///   - limit: How many are kept at most.
    mutating func append(_ bytes: UnsafeRawBufferPointer, growth: Int, isRefused: Bool, limit: Int) {
        if !self.isShed, !isRefused, self.isWhole {
            if growth > 0 { self.kept.reserveCapacity(self.kept.capacity + growth) }
            self.kept.append(contentsOf: bytes.prefix(max(0, limit - self.kept.count)))
        }
        self.size += UInt64(bytes.count)
    }

    /// Counts bytes that are not looked at.
    mutating func count(_ bytes: Int) {
        self.size += UInt64(bytes)
        self.isShed = true
    }

    /// Notes when a piece comes that has not been appended yet.
    mutating func arrived(at moment: NIODeadline) {
        guard self.arrivals.count < CaptureBudget.arrivals else { return }
        self.arrivals.append(Arrival(offset: self.size, moment: moment))
    }

    /// Gives the memory back, and keeps no more.
    mutating func shed() {
        self.kept = []
        self.arrivals = []
        self.isShed = true
    }
}
