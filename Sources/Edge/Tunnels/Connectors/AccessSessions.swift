// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Mux
import NIOCore
import Protocol
import Synchronization

/// The sessions of visitors who came with an access token, so that what ends a token ends them; from any thread.
package final class AccessSessions: Sendable {
    private struct Entry {
        var tunnel: TunnelID
        var owner: String
        var tokenIssuedAt: Double
        var signedBy: SigningKeyStamp
        var session: NIOLoopBound<SessionHandler>
        var expiry: Scheduled<Void>
    }

    /// The most sessions of one tunnel.
    package static let bound = 256

    private struct State {
        var entries: [UInt64: Entry] = [:]
        var counts: [TunnelID: Int] = [:]
        var last: UInt64 = 0
    }

    private let state = Mutex(State())

    /// Makes a table without sessions.
    package init() {}

    /// The sessions that there are.
    package var count: Int { self.state.withLock { $0.entries.count } }

    /// The tunnels that they are for.
    package var tunnels: [TunnelID] { self.state.withLock { Array($0.counts.keys) } }

    /// Adds a session, on its event loop; it ends with its token.
    ///
    /// - Parameter owner: Who owned the tunnel when the token was issued.
    /// - Returns: What to take it away with; `nil` if the tunnel has as many as it may have.
    package func join(
        _ session: SessionHandler,
        on eventLoop: any EventLoop,
        tunnel: TunnelID,
        owner: String,
        tokenIssuedAt: Double,
        signedBy: SigningKeyStamp,
        lifetime: TimeAmount
    ) -> UInt64? {
        let bound = NIOLoopBound(session, eventLoop: eventLoop)
        let expiry = eventLoop.scheduleTask(in: lifetime) { Self.end(bound) }
        let id = self.state.withLock { state -> UInt64? in
            guard state.counts[tunnel, default: 0] < Self.bound else { return nil }
            state.counts[tunnel, default: 0] += 1
            state.last += 1
            state.entries[state.last] = Entry(
                tunnel: tunnel,
                owner: owner,
                tokenIssuedAt: tokenIssuedAt,
                signedBy: signedBy,
                session: bound,
                expiry: expiry
            )
            return state.last
        }
        if id == nil { expiry.cancel() }
        return id
    }

    /// Takes a session away that has ended.
    package func leave(_ id: UInt64) {
        let entry = self.state.withLock { state -> Entry? in
            guard let entry = state.entries.removeValue(forKey: id) else { return nil }
            let left = (state.counts[entry.tunnel] ?? 1) - 1
            state.counts[entry.tunnel] = left > 0 ? left : nil
            return entry
        }
        entry?.expiry.cancel()
    }

    /// Ends the sessions of a tunnel whose tokens were issued up to a moment.
    ///
    /// - Parameters:
    ///   - tunnel: The tunnel.
    ///   - issuedUntil: The last issue time that is affected, in seconds since 1970.
    package func end(of tunnel: TunnelID, issuedUntil: Double) {
        let ended = self.state.withLock { state in
            state.entries.values.filter { $0.tunnel == tunnel && $0.tokenIssuedAt <= issuedUntil }
        }
        for entry in ended { entry.session.eventLoop.execute { Self.end(entry.session) } }
    }

    /// Ends the sessions of a tunnel whose tokens were issued for that of another owner.
    package func end(of tunnel: TunnelID, unlessOwnedBy owner: String) {
        let ended = self.state.withLock { state in
            state.entries.values.filter { $0.tunnel == tunnel && $0.owner != owner }
        }
        for entry in ended { entry.session.eventLoop.execute { Self.end(entry.session) } }
    }

    /// Ends the sessions whose tokens were signed by keys that are no more.
    package func endUnlessSigned(by accepts: (SigningKeyStamp) -> Bool) {
        let all = self.state.withLock { Array($0.entries.values) }
        for entry in all where !accepts(entry.signedBy) {
            entry.session.eventLoop.execute { Self.end(entry.session) }
        }
    }

    /// Lets every session end in good order.
    package func drain(gracePeriod: TimeAmount, lingering: TimeAmount) {
        for entry in self.state.withLock({ Array($0.entries.values) }) {
            entry.session.eventLoop.execute {
                entry.session.value.leave(gracePeriod: gracePeriod, lingering: lingering)
            }
        }
    }

    private static func end(_ session: NIOLoopBound<SessionHandler>) {
        session.value.close(code: .authExpired, reason: "the access token has ended or was revoked")
    }
}
