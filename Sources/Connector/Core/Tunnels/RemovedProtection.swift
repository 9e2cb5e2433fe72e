// SPDX-License-Identifier: Apache-2.0

import ControlAPI

/// The warning that a tunnel which was taken up again lets in visitors whom it kept away before.
package struct RemovedProtection: Equatable, Sendable, CustomStringConvertible {
    package let description: String

    /// Reads what the edge says of a tunnel; `nil` if it removed nothing.
    package init?(_ tunnel: CreateTunnelResponse) {
        let words = [
            ("basic_auth", "asked visitors for a password", "--basic-auth-file"),
            ("ip_allow", "let in some addresses alone", "--ip-allow"),
            ("ip_deny", "kept some addresses away", "--ip-deny"),
        ].filter { tunnel.policyRemoved?.contains($0.0) == true }
        guard !words.isEmpty else { return nil }
        let what = words.map(\.1).joined(separator: " and ")
        let options = words.map(\.2).joined(separator: " and ")
        self.description =
            "\(tunnel.tunnelID) \(what) until now, and does not any more: this command replaced its policy. "
            + "Give \(options) again to have that back."
    }
}
