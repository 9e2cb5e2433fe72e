// SPDX-License-Identifier: Apache-2.0
import ControlAPI
import EdgeTunnels
import NIOCore
import Protocol

/// What stays the same however often a request is sent: its tunnel, and what of the tunnel's policy concerns the answer.
struct ExchangePlan {
    let request: IncomingRequest
    let tunnel: Tunnel
    /// What becomes of the answer's head.
    let rewrite: ResponseRewrite
    /// Whether the origin is asked for the protocol that the visitor asks for.
    let passesUpgrade: Bool
    /// The protocols that it is asked for, in lower case.
    let protocols: [String]
    /// Whether an origin connection may serve more than one exchange.
    let mayReuse: Bool

    /// How long the origin has for its head.
    var responseTime: TimeAmount {
        self.request.policy.requestTimeoutSeconds.map { .seconds(Int64($0)) }
            ?? self.request.services.settings.requestTimeout
    }

    /// Whoever sends the request: at once if there is a session that it has not been on, else as soon as there is.
    func responder(for outgoing: SentRequest) -> any Responder {
        self.exchange(for: outgoing) ?? SessionWait(self, outgoing)
    }

    /// Whoever sends the request, if there is a session now that it has not been on.
    ///
    /// Where the origin has authenticated the visitor's connection, that is the session which the connection to it is on.
    func exchange(for outgoing: SentRequest) -> Exchange? {
        if outgoing.attempt == 1, let bound = self.request.boundOrigin, bound.serves(self.request, of: self.tunnel) {
            return Exchange(self, outgoing, on: bound.session, owner: bound.key)
        }
        return self.tunnel.pickSession(preferring: self.request.eventLoop, excluding: outgoing.tried)
            .map { Exchange(self, outgoing, on: $0) }
    }

    /// What OPEN says of the request.
    func metadata(target: String) -> OpenMetadata {
        var metadata = OpenMetadata(target: target)
        metadata.remoteAddress = self.request.visitor.address.flatMap {
            NetworkEndpoint(address: $0.bytes, port: UInt16(clamping: self.request.remoteAddress?.port ?? 0))
        }
        metadata.requestID = self.request.id.number
        return metadata
    }
}
