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

    /// What the reader has seen.
    private struct Seen {
        var change: UInt64
        var notice: UInt64
    }

    /// The most exchanges that may go between two looks; with more of them the reader looks at everything again.
    static let maximumRemovals = 10_000

    private let store: CaptureStore
    private let seen: Mutex<Seen>
    /// The reader, while it waits.
    private let waiter = Mutex<CheckedContinuation<Void, Never>?>(nil)

    init(_ store: CaptureStore) {
        self.store = store
        self.seen = Mutex(Seen(change: store.watch(), notice: store.notice))
    }

    deinit {
        self.store.stopWatching()
    }

    /// What has changed since the last call.
    package func take() -> Changes {
        self.seen.withLock { seen in
            seen.notice = self.store.notice
            return self.store.changes(after: &seen.change)
        }
    }

    /// Waits until there is something to take, ``CaptureRing/notify()`` or ``wake()`` is called, or the task is cancelled.
    ///
    /// Only one task may wait.
    ///
    /// - Returns: Whether it had to wait.
    package func changed() async -> Bool {
        guard !self.isDue else { return false }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                self.waiter.withLock { $0 = continuation }
                self.store.await(self)
                // What came before the store knew of the reader has woken nobody.
                if self.isDue || Task.isCancelled { self.wake() }
            }
        } onCancel: {
            self.wake()
        }
        return true
    }

    /// Lets the reader go on, if it waits.
    package func wake() {
        guard let waiter = self.waiter.withLock({ $0.take() }) else { return }
        self.store.awaitNoMore(self)
        waiter.resume()
    }

    private var isDue: Bool {
        self.seen.withLock { self.store.hasChanges(after: $0.change) || self.store.notice != $0.notice }
    }
}
