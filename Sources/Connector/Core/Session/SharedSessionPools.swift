// SPDX-License-Identifier: Apache-2.0

import NIOConcurrencyHelpers

/// The pools of shared sessions, by edge.
final class SharedSessionPools: Sendable {
    private let pools = NIOLockedValueBox<[EdgeAddress: SharedSessionPool]>([:])

    init() {}

    /// The pool of sessions with an edge.
    ///
    /// - Parameters:
    ///   - edge: The edge.
    ///   - make: Makes the pool, if there is none yet.
    /// - Throws: What `make` throws.
    func pool(
        for edge: EdgeAddress,
        make: () throws(CommandFailure) -> SharedSessionPool
    ) throws(CommandFailure) -> SharedSessionPool {
        if let known = self.pools.withLockedValue({ $0[edge] }) { return known }
        let made = try make()
        return self.pools.withLockedValue { pools in
            if let known = pools[edge] { return known }
            pools[edge] = made
            return made
        }
    }
}
