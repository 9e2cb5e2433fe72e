// SPDX-License-Identifier: Apache-2.0

import Mux
import NIOCore
import Protocol

/// Opens seats in sessions that the tunnel shares with others, where the edge supports that; otherwise own sessions.
struct SharedSessionOpener: SessionOpener {
    let pool: SharedSessionPool
    /// Opens sessions that are not shared, and knows the tunnel's token and target.
    let own: OwnSessionOpener
    /// Which run of the tunnel this is: of two that want the same seat the later one gets it.
    private let run: Int

    init(pool: SharedSessionPool, own: OwnSessionOpener) {
        self.pool = pool
        self.own = own
        self.run = pool.nextRun()
    }

    func open(bundle: SessionSettings.Bundle, network: NetworkWatch) async throws -> TunnelSession {
        // OPEN has no room for a longer token; a request head has.
        let token = self.own.currentToken.value
        guard token.secret.utf8.count <= OpenMetadata.maximumTokenLength,
            let session = try await self.pool.session(at: bundle.index, token: token, network: network)
        else { return try await self.own.open(bundle: bundle, network: network) }
        return try await session.eventLoop.submit { [own, run] in
            let targets = own.targets.values.first.map { [token.tunnelID: $0] } ?? [:]
            let origin = own.makeOrigin(targets: targets, on: session.eventLoop)
            return session.value.addSeat(for: token, run: run, origin: origin)
        }.get()
    }

    func comeBack(
        to session: TunnelSession,
        bundle: SessionSettings.Bundle,
        network: NetworkWatch
    ) async throws -> TunnelSession? {
        try await self.own.comeBack(to: session, bundle: bundle, network: network)
    }

    var token: CurrentToken? { self.own.currentToken }

    var edgeFound: Subscribers? { self.pool.edgeFound }
}
