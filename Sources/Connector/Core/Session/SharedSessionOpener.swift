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
        guard self.own.token.secret.utf8.count <= OpenMetadata.maximumTokenLength,
            let session = try await self.pool.session(at: bundle.index, token: self.own.token, network: network)
        else { return try await self.own.open(bundle: bundle, network: network) }
        return try await session.eventLoop.submit { [own, run] in
            let targets = own.targets.values.first.map { [own.token.tunnelID: $0] } ?? [:]
            let origin = own.makeOrigin(targets: targets, on: session.eventLoop)
            return session.value.addSeat(for: own.token, run: run, origin: origin)
        }.get()
    }

    var edgeFound: Subscribers? { self.pool.edgeFound }
}
