// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Shows a session each newer token of its tunnel.
final class SessionRenewal: Sendable {
    private let token: CurrentToken
    private let session: TunnelSession
    private let state: Mutex<State>
    private struct State {
        var shown: TunnelToken
        /// Nothing can be shown before the edge has said hello.
        var isActive = false
    }

    private let subscription: Mutex<Subscribers.Subscription?> = Mutex(nil)

    /// Begins to watch the tunnel's token.
    ///
    /// - Parameters:
    ///   - token: The tunnel's token.
    ///   - session: The session.
    ///   - shown: The token that the session began with.
    init(_ token: CurrentToken, of session: TunnelSession, shown: TunnelToken) {
        self.token = token
        self.session = session
        self.state = Mutex(State(shown: shown))
        let subscription = token.changed.subscribe { [weak self] in self?.show() }
        self.subscription.withLock { $0 = subscription }
    }

    /// The session is active: a token that came while it was being opened is shown now.
    func activate() {
        self.state.withLock { $0.isActive = true }
        self.show()
    }

    /// Shows the token of the moment, unless the session knows it.
    private func show() {
        let next = self.token.value
        let old = self.state.withLock { state -> TunnelToken? in
            guard state.isActive, state.shown != next else { return nil }
            defer { state.shown = next }
            return state.shown
        }
        if let old { self.session.renew(with: next, after: old) }
    }

    /// Watches no longer.
    func cancel() {
        if let subscription = self.subscription.withLock({ $0 }) { self.token.changed.cancel(subscription) }
    }
}
