// SPDX-License-Identifier: Apache-2.0

import Protocol

/// Opens sessions that serve one tunnel.
package protocol SessionOpener: Sendable {
    /// Opens one session.
    ///
    /// - Parameters:
    ///   - bundle: Which of the connections of the tunnel the session is.
    ///   - network: Reports when the network changes.
    /// - Throws: ``EdgeFailure``, ``NetworkChanged``, or `CancellationError` at once when the task is cancelled.
    func open(bundle: SessionSettings.Bundle, network: NetworkWatch) async throws -> TunnelSession

    /// Opens a connection to go on with a session that has none.
    ///
    /// - Returns: `nil` if the session goes on, or is not the tunnel's alone, so that others see to its return; another
    ///   session if the edge does not know it any more.
    /// - Throws: ``EdgeFailure``, ``NetworkChanged``, ``SessionOver``, or `CancellationError`.
    func comeBack(
        to session: TunnelSession,
        bundle: SessionSettings.Bundle,
        network: NetworkWatch
    ) async throws -> TunnelSession?

    /// What the edge is shown; `nil` if nothing is.
    var token: CurrentToken? { get }

    /// Notified when another tunnel that shares the connections has reached the edge; `nil` if none shares them.
    var edgeFound: Subscribers? { get }
}

extension SessionOpener {
    /// Leaves the session alone.
    package func comeBack(
        to session: TunnelSession,
        bundle: SessionSettings.Bundle,
        network: NetworkWatch
    ) async throws -> TunnelSession? { nil }
}
