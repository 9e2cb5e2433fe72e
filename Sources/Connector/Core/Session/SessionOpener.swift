// SPDX-License-Identifier: Apache-2.0

import Protocol

/// Opens sessions that serve one tunnel.
package protocol SessionOpener: Sendable {
    /// Opens one session.
    ///
    /// - Parameters:
    ///   - bundle: The place of the session among those of this connector.
    ///   - network: Tells when the network changes.
    /// - Throws: ``EdgeFailure``, ``NetworkChanged``, or `CancellationError` at once when the task is cancelled.
    func open(bundle: SessionSettings.Bundle, network: NetworkWatch) async throws -> TunnelSession

    /// Tells when others who use the same connections have found the edge; nothing if there are no others.
    var edgeFound: Subscribers? { get }
}
