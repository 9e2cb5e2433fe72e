// SPDX-License-Identifier: Apache-2.0

import ControlAPI

/// The warning that a tunnel which was taken up again lets in visitors whom it kept away before.
package struct RemovedProtection: Equatable, Sendable, CustomStringConvertible {
    package let description: String

    /// The members of a policy that keep visitors away, with what they did and the options that bring it back.
    private static let members = [
        ("basic_auth", "asked visitors for a password", "--basic-auth-file"),
        ("ip_allow", "let in some addresses alone", "--ip-allow"),
        ("ip_deny", "kept some addresses away", "--ip-deny"),
    ]

    /// Which of them a policy has.
    package static func members(of policy: TunnelPolicy) -> [String] {
        var members: [String] = []
        if !policy.basicAuth.isEmpty { members.append("basic_auth") }
        if !policy.ipAllow.isEmpty { members.append("ip_allow") }
        if !policy.ipDeny.isEmpty { members.append("ip_deny") }
        return members
    }

    /// Reads what the edge says of a tunnel; `nil` if it removed nothing.
    package init?(_ tunnel: CreateTunnelResponse) {
        self.init(tunnel.policyRemoved ?? [], of: tunnel.tunnelID)
    }

    /// - Parameters:
    ///   - removed: Members of the policy that the tunnel had and has no more.
    ///   - id: The tunnel.
    package init?(_ removed: [String], of id: String) {
        let words = Self.members.filter { removed.contains($0.0) }
        guard !words.isEmpty else { return nil }
        let what = words.map(\.1).joined(separator: " and ")
        let options = words.map(\.2).joined(separator: " and ")
        self.description =
            "\(id) \(what) until now, and does not any more: this command replaced its policy. "
            + "Give \(options) again to have that back."
    }
}
