// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels

/// One of the limits of the control API, by the name that the `RateLimit` fields give it.
enum APILimit: String, CaseIterable, Sendable {
    /// Calls of a key.
    case calls = "api"
    /// Wrong keys of an address.
    case logins
    /// Wrong one-time codes of a key.
    case codes
    /// Tunnels that a key makes.
    case creations

    /// What there was too much of.
    var complaint: String {
        switch self {
        case .calls: "Too many calls"
        case .logins: "Too many wrong keys from this address"
        case .codes: "Too many wrong one-time codes for this key"
        case .creations: "Too many new tunnels"
        }
    }

    /// The value of `RateLimit` (draft-ietf-httpapi-ratelimit-headers §5): what is left, and until when.
    func field(_ decision: RateDecision) -> String {
        "\"\(self.rawValue)\";r=\(decision.remaining);t=\(decision.resetSeconds)"
    }
}
