// SPDX-License-Identifier: Apache-2.0

import Mux
import NIOCore
import Protocol

/// Opens sessions over connections that the tunnel shares with others, where the edge can do that.
struct SharedSessionOpener: SessionOpener {
    let pool: SharedSessionPool
    /// Opens sessions that are not shared, and knows what the tunnel's streams are served with.
    let own: OwnSessionOpener
    /// Which run of the tunnel this is: of two that want the same place the later one gets it.
    private let run: Int

    init(pool: SharedSessionPool, own: OwnSessionOpener) {
        self.pool = pool
        self.own = own
        self.run = pool.nextRun()
    }

    func open(bundle: SessionSettings.Bundle, network: NetworkWatch) async throws -> TunnelSession {
        // A token that OPEN has no room for needs a head of HTTP.
        guard self.own.token.secret.utf8.count <= OpenMetadata.maximumTokenLength,
            let session = try await self.pool.session(at: bundle.index, token: self.own.token, network: network)
        else { return try await self.own.open(bundle: bundle, network: network) }
        return try await session.eventLoop.submit { [own, run] in
            let targets = own.targets.values.first.map { [own.token.tunnelID: $0] } ?? [:]
            let origin = own.makeOrigin(targets: targets, on: session.eventLoop)
            return session.value.attach(own.token, run: run, origin: origin)
        }.get()
    }

    var edgeFound: Subscribers? { self.pool.edgeFound }
}
