// SPDX-License-Identifier: Apache-2.0

/// Bounds the bytes that are on their way from one event loop to another.
///
/// The sender counts what leaves and holds its reads at ``limit``; the receiver counts what it took and tells the sender
/// at ``step``, which is less: so one message is for many reads, and nobody waits for one that does not come.
struct CrossingCredit: Sendable {
    /// How many bytes may be on their way, but for those of one burst of reads.
    static let limit = 256 << 10
    /// How many bytes are taken before the sender is told.
    static let step = 128 << 10

    private var underWay = 0
    private var taken = 0

    /// Whether more may leave.
    var hasRoom: Bool { self.underWay < Self.limit }

    /// Bytes have left this event loop.
    mutating func left(_ bytes: Int) { self.underWay += bytes }

    /// The receiver says that it took bytes.
    mutating func acknowledged(_ bytes: Int) { self.underWay -= bytes }

    /// Bytes of the other event loop have been taken here.
    ///
    /// - Returns: How many to tell of now; 0 for none yet.
    mutating func took(_ bytes: Int) -> Int {
        self.taken += bytes
        guard self.taken >= Self.step else { return 0 }
        defer { self.taken = 0 }
        return self.taken
    }
}
