// SPDX-License-Identifier: Apache-2.0

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The body of `POST /api/tunnels/{id}/access`.
package struct TunnelAccessRequest: Codable, Equatable, Sendable {
    /// For how long the access token is to be valid, in seconds; `nil` takes a day.
    package var lifetimeSeconds: Int?

    /// The bounds of ``lifetimeSeconds``.
    package static let lifetimes = 1...31_536_000
    /// What ``lifetimeSeconds`` is where it is left out.
    package static let defaultLifetime = 86_400

    /// Makes a request.
    package init(lifetimeSeconds: Int? = nil) {
        self.lifetimeSeconds = lifetimeSeconds
    }

    private enum CodingKeys: String, CodingKey {
        case lifetimeSeconds = "lifetime_seconds"
    }
}

/// The body of the 201 that answers `POST /api/tunnels/{id}/access`.
package struct TunnelAccessResponse: Codable, Equatable, Sendable {
    /// The tunnel's id.
    package var tunnelID: String
    /// The access token; a secret.
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
