// SPDX-License-Identifier: Apache-2.0
import ControlAPI

extension Tunnel {
    /// What the control API shows of the tunnel.
    ///
    /// - Parameters:
    ///   - urls: Its public URLs, the one to tell people first.
    ///   - elsewhere: What other edges have of it.
    package func status(urls: [String], elsewhere: [OtherEdgeSessions] = []) -> TunnelStatus {
        TunnelStatus(
            tunnelID: self.id.description,
            name: self.name,
            kind: self.form.kind,
            urls: urls,
            visitors: VisitorAdmission(self.policy),
            state: self.reachability,
            createdAt: self.createdAt,
            lastActiveAt: self.lastActiveAt,
            lastEchoAt: self.lastEchoAt,
            sessions: self.sessions.map(\.status),
            elsewhere: elsewhere.isEmpty ? nil : elsewhere,
            counters: self.counters
        )
    }

    /// A connector that serves the tunnel from elsewhere.
    ///
    /// - Parameter place: The machine and the local server that somebody wants to serve it from; connectors that have not
    ///   said where they serve from, and those that take no requests, count as none.
    package func connector(servingElsewhereThan place: String) -> TunnelNotice.Connector? {
        self.sessions.first { session in
            session.servedFrom.map { $0 != place } ?? false && self.isServed(by: session)
        }.map { TunnelNotice.Connector(implementation: $0.implementation, remoteAddress: $0.remoteAddress) }
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
