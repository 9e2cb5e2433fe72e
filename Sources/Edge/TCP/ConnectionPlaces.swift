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

    /// Takes a place of all, if there is one; ``leave(claimed:)`` has to follow.
    func enter() -> Bool {
        self.state.withLock { state in
            guard state.count < self.limit else { return false }
            state.count += 1
            return true
        }
    }

    /// Takes a place of an address, if there is one, for who has entered: as soon as it is known who that is.
    ///
    /// - Returns: Whose place it is, for ``leave(claimed:)``; `nil` if there is none.
    func claim(_ address: IPAddress?) -> CallerAddress? {
        let caller = CallerAddress(address)
        return self.state.withLock { state in
            let own = state.addresses[caller, default: 0]
            guard own < self.perAddress else { return nil }
            state.addresses[caller] = own + 1
            return caller
        }
    }

    /// Leaves a place that was taken, and that of the address, if there is one.
    func leave(claimed caller: CallerAddress?) {
        self.state.withLock { state in
            state.count -= 1
            guard let caller else { return }
            let left = (state.addresses[caller] ?? 1) - 1
            state.addresses[caller] = left > 0 ? left : nil
        }
    }
}
