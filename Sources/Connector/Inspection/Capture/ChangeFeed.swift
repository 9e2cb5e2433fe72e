// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Tells one reader which exchanges have changed since it last asked.
///
/// It holds the number of the last change that the reader has seen, and nothing else: however slow the reader is, it
/// costs nobody anything.
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

    /// The most exchanges that may go between two looks; with more of them the reader looks at everything again.
    static let maximumRemovals = 10_000

    private let store: CaptureStore
    private let seen: Mutex<UInt64>

    init(_ store: CaptureStore) {
        self.store = store
        self.seen = Mutex(store.watch())
    }

    deinit {
        self.store.stopWatching()
    }

    /// What has changed since the last call.
    package func take() -> Changes { self.seen.withLock { self.store.changes(after: &$0) } }
}
