// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import ControlAPI
import NIOConcurrencyHelpers

/// A tunnel that nobody named: it has the name that it had last, and is forgotten when the program exits.
final class PassingTunnel: Sendable {
    private let access: EdgeAccess
    private let certificateAuthorityFile: String?
    private let name: RememberedName?
    private let made = NIOLockedValueBox<String?>(nil)

    /// - Parameters:
    ///   - access: The edge, and the API key that makes the tunnel.
    ///   - certificateAuthorityFile: The PEM file of the only roots that the edge is trusted by.
    ///   - name: The name that it had last.
    init(access: EdgeAccess, certificateAuthorityFile: String?, name: RememberedName?) {
        self.access = access
        self.certificateAuthorityFile = certificateAuthorityFile
        self.name = name
    }

    /// Makes the tunnel.
    ///
    /// - Parameters:
    ///   - server: Serves it.
    ///   - creation: Describes it, given a name or none.
    func prepare(
        _ server: TunnelServer,
        _ creation: @Sendable (_ name: String?) -> TunnelCreation
    ) async throws -> ServedTunnel {
        let tunnel: ServedTunnel
        let known = self.name.map { ($0.id, $0.protection) }
        do {
            tunnel = try await creation(self.name?.id).prepare(server)
        } catch let failure as CommandFailure where failure.status == .conflict && self.name?.id != nil {
            // Somebody else has the name by now.
            tunnel = try await creation(nil).prepare(server)
        }
        let id = tunnel.token.tunnelID
        let protection = creation(nil).protection
        // The edge has forgotten what the tunnel was, and visitors know its URL.
        if let (former, members) = known, former == id,
            let removed = RemovedProtection(members.filter { !protection.contains($0) }, of: id)
        {
            server.warn(removed)
        }
        self.name?.remember(id, protectedBy: protection)
        self.made.withLockedValue { $0 = tunnel.token.tunnelID }
        return tunnel
    }

    /// Has the edge forget the tunnel; where it can't be asked, the tunnel ends by itself when it was idle for long.
    func forget() async {
        guard let id = self.made.withLockedValue({ $0 }) else { return }
        var call = try? ControlCall(
            access: self.access.withoutOneTimeCode(),
            certificateAuthorityFile: self.certificateAuthorityFile
        )
        call?.knowsEdge = true
        try? await call?.perform { client async throws(EdgeFailure) in try await client.forget(id) }
    }
}
