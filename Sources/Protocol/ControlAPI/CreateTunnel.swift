// SPDX-License-Identifier: Apache-2.0

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The body of `POST /api/tunnels/create`.
package struct CreateTunnelRequest: Codable, Equatable, Sendable {
    /// The wished tunnel id, `[a-z0-9-]{3,63}`; `nil` asks for a random one.
    package var name: String?
    /// The port that the connector will forward to; the edge only uses it to write `Host`.
    package var localPort: UInt16?
    /// The policy; `nil` is the default one.
    package var policy: TunnelPolicy?
    /// What the tunnel is to carry; `nil` is HTTP.
    package var kind: TunnelKind?
    /// The wished port of the edge, for a tunnel of TCP; `nil` asks for any that is free.
    package var port: UInt16?
    /// Whether everybody may come; `false` makes a tunnel that is reached with access tokens alone; `nil` is `true`.
    package var isPublic: Bool?
    /// Names the machine and the local server that the tunnel is to be served from, in a word that means nothing to the
    /// edge; `nil` where that does not matter.
    package var servedFrom: String?
    /// Whether the tunnel may be served from several places at once; `nil` is `false`.
    package var pool: Bool?

    /// Makes a request.
    package init(
        name: String? = nil,
        localPort: UInt16? = nil,
        policy: TunnelPolicy? = nil,
        kind: TunnelKind? = nil,
        port: UInt16? = nil,
        isPublic: Bool? = nil,
        servedFrom: String? = nil,
        pool: Bool? = nil
    ) {
        self.name = name
        self.localPort = localPort
        self.policy = policy
        self.kind = kind
        self.port = port
        self.isPublic = isPublic
        self.servedFrom = servedFrom
        self.pool = pool
    }

    private enum CodingKeys: String, CodingKey {
        case name
        case localPort = "local_port"
        case policy
        case kind
        case port
        case isPublic = "public"
        case servedFrom = "served_from"
        case pool
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.name = try container.decodeIfPresent(String.self, forKey: .name)
        self.policy = try container.decodeIfPresent(TunnelPolicy.self, forKey: .policy)
        self.kind = try container.decodeIfPresent(TunnelKind.self, forKey: .kind)
        self.localPort = try Self.port(.localPort, in: container)
        self.port = try Self.port(.port, in: container)
        self.isPublic = try container.decodeIfPresent(Bool.self, forKey: .isPublic)
        self.servedFrom = try container.decodeIfPresent(String.self, forKey: .servedFrom)
        self.pool = try container.decodeIfPresent(Bool.self, forKey: .pool)
    }

    private static func port(
        _ key: CodingKeys,
        in container: KeyedDecodingContainer<CodingKeys>
    ) throws -> UInt16? {
        // Read as a wider number first, so that the error about one out of range names the member.
        try container.decodeIfPresent(Int.self, forKey: key).map { number in
            guard let port = UInt16(exactly: number), port > 0 else {
                throw DecodingError.dataCorruptedError(forKey: key, in: container, debugDescription: "not a port")
            }
            return port
        }
    }
}

/// The body of the 201 that answers `POST /api/tunnels/create`.
package struct CreateTunnelResponse: Codable, Equatable, Sendable {
    /// The tunnel's id.
    package var tunnelID: String
    /// The name that was asked for, if any; it is then also the id.
    package var name: String?
    /// What the tunnel carries; an edge of an earlier version says nothing, and knows HTTP alone.
    package var kind: TunnelKind?
    /// The public URL: of a tunnel of HTTP with its trailing slash.
    package var url: String
    /// Every public URL, the one at a host of the tunnel's own first; an edge of an earlier version names none.
    package var urls: [String]?
    /// The token with which a connector serves the tunnel; a secret.
    package var token: String
    /// When the token ends.
    package var expiresAt: Date
    /// Members of the policy that kept visitors away from the tunnel that was there before, and do so no more; `nil` if
    /// there are none.
    package var policyRemoved: [String]?

    /// Makes a response.
    package init(
        tunnelID: String,
        name: String?,
        kind: TunnelKind? = nil,
        url: String,
        urls: [String]? = nil,
        token: String,
        expiresAt: Date,
        policyRemoved: [String]? = nil
    ) {
        self.tunnelID = tunnelID
        self.name = name
        self.policyRemoved = policyRemoved
        self.kind = kind
        self.url = url
        self.urls = urls
        self.token = token
        self.expiresAt = expiresAt
    }

    private enum CodingKeys: String, CodingKey {
        case tunnelID = "tunnel_id"
        case name
        case kind
        case url
        case urls
        case token
        case expiresAt = "expires_at"
        case policyRemoved = "policy_removed"
    }
}

/// The body of the 201 that answers `POST /api/tunnels/{id}/token`.
package struct TunnelTokenResponse: Codable, Equatable, Sendable {
    /// The tunnel's id.
    package var tunnelID: String
    /// The new token; a secret.
    package var token: String
    /// When the new token ends.
    package var expiresAt: Date
    /// When the tokens that were issued before this one stop working.
    package var previousEndAt: Date

    /// Makes a response.
    package init(tunnelID: String, token: String, expiresAt: Date, previousEndAt: Date) {
        self.tunnelID = tunnelID
        self.token = token
        self.expiresAt = expiresAt
        self.previousEndAt = previousEndAt
    }

    private enum CodingKeys: String, CodingKey {
        case tunnelID = "tunnel_id"
        case token
        case expiresAt = "expires_at"
        case previousEndAt = "previous_end_at"
    }
}

/// The body of the 201 that answers `POST /api/tunnels/{id}/renew`.
package struct TunnelRenewalResponse: Codable, Equatable, Sendable {
    /// The tunnel's id.
    package var tunnelID: String
    /// The token that follows the one that was shown; a secret.
    package var token: String
    /// When it ends.
    package var expiresAt: Date

    /// Makes a response.
    package init(tunnelID: String, token: String, expiresAt: Date) {
        self.tunnelID = tunnelID
        self.token = token
        self.expiresAt = expiresAt
    }

    private enum CodingKeys: String, CodingKey {
        case tunnelID = "tunnel_id"
        case token
        case expiresAt = "expires_at"
    }
}
