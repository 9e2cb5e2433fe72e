// SPDX-License-Identifier: Apache-2.0

/// Collects for one reader which exchanges have changed since it last asked.
///
/// It holds ids and not events: however slow the reader is, it costs no more than the ring has exchanges.
package final class ChangeFeed: Sendable {
    /// What has changed.
    package struct Changes: Sendable {
        /// Exchanges that are new, or not as they were, in any order.
        package var changed: [ExchangeCapture] = []
        /// Exchanges that are gone.
        package var removed: [CaptureID] = []
        /// Whether the reader has to look at everything again.
        package var isReset = false

        /// Whether nothing has changed.
        package var isEmpty: Bool { self.changed.isEmpty && self.removed.isEmpty && !self.isReset }
    }

    /// What has changed and was not asked for yet.
    struct Pending: Sendable {
        private var ids: Set<CaptureID> = []
        private(set) var isReset = false

        /// The most ids; with more of them the reader looks at everything again.
        static let maximum = 20_000

        mutating func note(_ id: CaptureID) {
            guard !self.isReset else { return }
            self.ids.insert(id)
            if self.ids.count > Self.maximum { self.reset() }
        }

        mutating func reset() {
            self.ids = []
            self.isReset = true
        }

        mutating func takeIDs() -> Set<CaptureID> {
            defer { self.ids = [] }
            return self.ids
        }
    }

    private let ring: CaptureRing
    private let key: Int

    init(ring: CaptureRing, key: Int) {
        self.ring = ring
        self.key = key
    }

    deinit {
        self.ring.stopWatching(self.key)
    }

    /// What has changed since the last call.
    package func take() -> Changes { self.ring.take(self.key) }
}
