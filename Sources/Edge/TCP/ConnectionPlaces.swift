// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels
import NIOCore
import Synchronization

/// Bounds the connections that visitors have to tunnels that are not of HTTP: all of them, and those of one address.
///
/// Every member may be used from any thread.
package final class ConnectionPlaces: Sendable {
    private struct State {
        var count = 0
        var addresses: [CallerAddress: Int] = [:]
    }

    private let limit: Int
    private let perAddress: Int
    private let state = Mutex(State())

    /// Makes places of which none is taken.
    ///
    /// - Parameters:
    ///   - limit: The most connections.
    ///   - perAddress: The most connections of one address.
    package init(limit: Int, perAddress: Int) {
        self.limit = limit
        self.perAddress = perAddress
    }

    /// How many are taken.
    package var count: Int { self.state.withLock { $0.count } }

    /// Takes a place, if there is one; ``leave(_:)`` has to follow.
    func enter(_ address: IPAddress?) -> Bool {
        let caller = CallerAddress(address)
        return self.state.withLock { state in
            let own = state.addresses[caller, default: 0]
            guard state.count < self.limit, own < self.perAddress else { return false }
            state.count += 1
            state.addresses[caller] = own + 1
            return true
        }
    }

    /// Leaves a place that was taken.
    func leave(_ address: IPAddress?) {
        let caller = CallerAddress(address)
        self.state.withLock { state in
            state.count -= 1
            let left = (state.addresses[caller] ?? 1) - 1
            state.addresses[caller] = left > 0 ? left : nil
        }
    }
}
