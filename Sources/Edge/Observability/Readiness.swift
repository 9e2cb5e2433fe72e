// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Whether the edge takes new work: not before it listens, and not once it is about to stop.
final class Readiness: Sendable {
    private let ready = Atomic<Bool>(false)

    init() {}

    /// Whether new work is taken.
    var isReady: Bool { self.ready.load(ordering: .relaxed) }

    /// Notes that everything listens.
    func becomeReady() { self.ready.store(true, ordering: .relaxed) }

    /// Notes that the edge is about to stop.
    func beginDraining() { self.ready.store(false, ordering: .relaxed) }
}
