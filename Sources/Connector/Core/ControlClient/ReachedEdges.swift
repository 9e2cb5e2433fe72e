// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// The edges that have answered a call of the control API.
///
/// What answers at an address at first may be no edge, and the setting wrong. Whoever has answered before is one: a call that
/// is cut off meets an edge that was killed, or takes no more connections, and is made again.
final class ReachedEdges: Sendable {
    private let edges = Mutex<Set<EdgeAddress>>([])

    /// Notes an answer.
    func insert(_ edge: EdgeAddress) {
        self.edges.withLock { _ = $0.insert(edge) }
    }

    /// Whether an edge has answered.
    func contains(_ edge: EdgeAddress) -> Bool {
        self.edges.withLock { $0.contains(edge) }
    }
}
