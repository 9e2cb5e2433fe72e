// SPDX-License-Identifier: Apache-2.0
import ControlAPI

extension Tunnel {
    /// What the control API shows of the tunnel.
    ///
    /// - Parameter urls: Its public URLs, the one to tell people first.
    package func status(urls: [String]) -> TunnelStatus {
        TunnelStatus(
            tunnelID: self.id.description,
            name: self.name,
            kind: self.form.kind,
            urls: urls,
            state: self.reachability,
            createdAt: self.createdAt,
            lastActiveAt: self.lastActiveAt,
            lastEchoAt: self.lastEchoAt,
            sessions: self.sessions.map(\.status),
            counters: self.counters
        )
    }

    /// What the tunnel is made from, as it is now.
    package var specification: TunnelSpecification {
        let (policy, form, version) = self.versionedPolicy
        return TunnelSpecification(
            id: self.id,
            name: self.name,
            owner: self.owner,
            policy: policy,
            form: form,
            createdAt: self.createdAt,
            version: version
        )
    }
}
