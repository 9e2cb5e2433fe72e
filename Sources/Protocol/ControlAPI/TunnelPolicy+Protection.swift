// SPDX-License-Identifier: Apache-2.0

extension TunnelPolicy {
    /// The members of a policy that keep visitors away with it, and no more with the one that takes its place.
    ///
    /// Who starts a connector again and leaves out `--basic-auth` opens the tunnel to everybody: that is to be said.
    ///
    /// - Parameter successor: The policy that takes its place.
    package func protection(removedBy successor: TunnelPolicy) -> [String] {
        var removed: [String] = []
        if !self.basicAuth.isEmpty, successor.basicAuth.isEmpty { removed.append("basic_auth") }
        if !self.ipAllow.isEmpty, successor.ipAllow.isEmpty { removed.append("ip_allow") }
        if !Set(self.ipDeny).isSubset(of: successor.ipDeny) { removed.append("ip_deny") }
        return removed
    }
}
