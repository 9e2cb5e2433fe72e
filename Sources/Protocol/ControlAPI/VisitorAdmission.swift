// SPDX-License-Identifier: Apache-2.0

/// Who may visit a tunnel, without any secret: what of its policy keeps visitors away.
///
/// A member that is `nil` keeps nobody away.
package struct VisitorAdmission: Codable, Equatable, Sendable {
    /// The user names of which a visitor has to give one, with its password.
    package var users: [String]?
    /// The networks that visitors have to come from.
    package var ipAllow: [String]?
    /// The networks that visitors may not come from.
    package var ipDeny: [String]?

    /// Reads them from a policy.
    package init(_ policy: TunnelPolicy) {
        self.users = policy.basicAuth.isEmpty ? nil : policy.basicAuth.map(\.username)
        self.ipAllow = policy.ipAllow.isEmpty ? nil : policy.ipAllow
        self.ipDeny = policy.ipDeny.isEmpty ? nil : policy.ipDeny
    }

    private enum CodingKeys: String, CodingKey {
        case users
        case ipAllow = "ip_allow"
        case ipDeny = "ip_deny"
    }
}

extension VisitorAdmission: CustomStringConvertible {
    package var description: String {
        let parts = [
            self.users.map { "with the password of \($0.joined(separator: " or "))" },
            self.ipAllow.map { "from \($0.joined(separator: ", "))" },
            self.ipDeny.map { "not from \($0.joined(separator: ", "))" },
        ].compactMap(\.self)
        return parts.isEmpty ? "everybody" : parts.joined(separator: "; ")
    }
}
