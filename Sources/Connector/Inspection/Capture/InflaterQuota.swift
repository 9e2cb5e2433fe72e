// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Bounds how many WebSockets are decompressed at a time: each direction of one takes 40 KiB.
package final class InflaterQuota: Sendable {
    /// The right to decompress one WebSocket, as long as it is held.
    package final class Place: Sendable {
        private let quota: InflaterQuota

        init(_ quota: InflaterQuota) {
            self.quota = quota
        }

        deinit {
            self.quota.taken.subtract(1, ordering: .relaxed)
        }
    }

    private let taken = Atomic<Int>(0)
    /// How many WebSockets there may be at a time.
    package static let maximum = 32

    /// Makes a quota of which nothing is taken.
    package init() {}

    /// Takes a place; `nil` if none is free.
    package func take() -> Place? {
        guard self.taken.add(1, ordering: .relaxed).newValue <= Self.maximum else {
            self.taken.subtract(1, ordering: .relaxed)
            return nil
        }
        return Place(self)
    }
}
