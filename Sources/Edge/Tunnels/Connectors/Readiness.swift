// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Whether the edge takes new work: not before it listens, and not once it is about to stop.
package final class Readiness: Sendable {
    private let ready = Atomic<Bool>(false)

    package init() {}

    /// Whether new work is taken.
    package var isReady: Bool { self.ready.load(ordering: .relaxed) }

    /// Notes that everything listens.
    package func becomeReady() { self.ready.store(true, ordering: .relaxed) }

    /// Notes that the edge is about to stop.
    package func beginDraining() { self.ready.store(false, ordering: .relaxed) }
}
