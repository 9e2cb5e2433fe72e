// SPDX-License-Identifier: Apache-2.0
import EdgeTunnels
import NIOCore
import Synchronization

/// A connection to an origin that belongs to one visitor's connection, because the origin has authenticated the
/// connection instead of each request (RFC 4559 §6), or may be about to.
///
/// The visitor's connection remembers it; between two requests it waits in the pool of its session, under a key that
/// nobody else has.
struct BoundOrigin {
    /// The tunnel that the connection leads through.
    let tunnel: Tunnel
    let session: TunnelSession
    /// What the session's pool knows the connection by.
    let key: UInt64
    /// The visitor it was bound for: behind a proxy one connection may bring the requests of many.
    let address: IPAddress?

    private static let lastKey = Atomic<UInt64>(0)

    /// A key that no other connection has.
    static func makeKey() -> UInt64 {
        self.lastKey.add(1, ordering: .relaxed).newValue
    }

    /// Whether a request may use the connection.
    func serves(_ request: IncomingRequest, of tunnel: Tunnel) -> Bool {
        guard self.tunnel === tunnel, self.address == request.visitor.address else { return false }
        // Visitors whom a proxy does not name can't be told apart.
        guard self.address != nil || !request.visitor.isFromTrustedProxy else { return false }
        return tunnel.isServed(by: self.session)
    }

    /// Takes the place of the one that there was, which is given up if it is another.
    func replacing(_ old: BoundOrigin?) -> BoundOrigin {
        if let old, old.key != self.key { old.discard() }
        return self
    }

    /// Gives the connection up, if it is waiting.
    func discard() {
        let (session, key) = (self.session, self.key)
        session.eventLoop.execute { session.pool.value.discard(boundTo: key) }
    }
}
