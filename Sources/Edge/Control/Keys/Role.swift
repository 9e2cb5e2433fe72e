// SPDX-License-Identifier: Apache-2.0

/// What an API key may do.
package enum Role: String, Codable, CaseIterable, Sendable {
    /// Manage the tunnels that it made.
    case user
    /// Manage every tunnel.
    case admin
}

/// Who makes a call of the control API.
struct Principal: Equatable, Sendable {
    /// The name of the API key.
    var name: String
    /// Who owns the tunnels that are made with it.
    var owner: String
    /// What it may do.
    var role: Role
    /// The shared secret of its second factor; `nil` asks for none.
    var oneTimePassword: OneTimePassword?

    /// Whether the principal may see and change a tunnel.
    ///
    /// - Parameter owner: Who owns the tunnel.
    func mayManage(tunnelsOf owner: String) -> Bool {
        self.role == .admin || self.owner == owner
    }
}
