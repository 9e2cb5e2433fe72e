// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// The token that a tunnel is served with at the moment; a newer one takes its place while the tunnel is served.
package final class CurrentToken: Sendable {
    /// A token, and whether the edge issued it when this program got it: then its age needs no clock.
    struct Held: Equatable, Sendable {
        var token: TunnelToken
        var isFresh: Bool
    }

    private let state: Mutex<Held>
    /// Notified when another token has taken the place.
    let changed = Subscribers()

    /// Begins with a token.
    ///
    /// - Parameters:
    ///   - token: The token.
    ///   - isFresh: Whether the edge has issued it just now.
    package init(_ token: TunnelToken, isFresh: Bool = false) {
        self.state = Mutex(Held(token: token, isFresh: isFresh))
    }

    /// The token of the moment.
    package var value: TunnelToken { self.state.withLock { $0.token } }

    /// The token of the moment, and whether it was fresh.
    var held: Held { self.state.withLock { $0 } }

    /// Takes another token, and notifies those who have shown the edge the one before.
    func replace(with held: Held) {
        self.state.withLock { $0 = held }
        self.changed.notify()
    }
}
