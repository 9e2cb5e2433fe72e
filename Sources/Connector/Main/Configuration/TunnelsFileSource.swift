// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation

/// A file of tunnels with what the command line and the environment add to it.
struct TunnelsFileSource: Sendable {
    var path: String
    /// The value of `--edge`.
    var edge: String?
    /// The value of `--api-key-file`.
    var apiKeyFile: String?
    /// The value of `--otp`.
    var oneTimeCode: String?
    var environment: [String: String]

    /// Reads the file and says what is to be served.
    ///
    /// - Throws: ``CommandFailure`` with everything that is wrong with the file.
    func read() throws(CommandFailure) -> DesiredTunnels {
        let file = try TunnelsFile(reading: self.path)
        let access = try file.tunnels.contains { $0.token == nil } ? self.access(file) : nil
        var tunnels: [DesiredTunnel] = []
        for (entry, identity) in zip(file.tunnels, DesiredTunnel.Identity.of(file.tunnels)) {
            tunnels.append(
                DesiredTunnel(
                    identity: identity,
                    target: entry.target,
                    originTrust: entry.originTrust,
                    name: entry.name,
                    token: entry.token,
                    policy: entry.policy,
                    edge: try self.edge(of: entry, file: file, access: access),
                    connections: file.connections ?? TunnelsFile.defaultConnections,
                    sharesConnections: file.sharesConnections ?? true
                )
            )
        }
        return DesiredTunnels(tunnels: tunnels) { tunnel, earlierID in
            Self.preparation(of: tunnel, access: access, earlierID: earlierID)
        }
    }

    /// Applies the precedence of design §9: flag, environment, file; the login file comes last.
    private func access(_ file: TunnelsFile) throws(CommandFailure) -> EdgeAccess {
        try EdgeAccess.resolve(
            edge: self.edge ?? self.environment["CULVERT_EDGE"] ?? file.edge?.description,
            apiKeyFile: self.apiKeyFile ?? (self.environment["CULVERT_API_KEY"] == nil ? file.apiKeyFile : nil),
            oneTimeCode: self.oneTimeCode,
            environment: self.environment
        )
    }

    private func edge(
        of entry: TunnelsFile.Entry,
        file: TunnelsFile,
        access: EdgeAccess?
    ) throws(CommandFailure) -> EdgeAddress {
        if let token = entry.token {
            if let edge { return try EdgeAccess.address(edge) }
            // The token's own edge is more specific than what the file says for all tunnels.
            if let edge = token.edge ?? file.edge { return edge }
            throw CommandFailure(
                .configuration,
                "\(self.path): The token in \(entry.tokenFile ?? "a file") does not say which edge to dial: add “edge”."
            )
        }
        guard let access else { throw CommandFailure(.bug, "A tunnel without token and key was let through.") }
        return access.edge
    }

    private static func preparation(
        of tunnel: DesiredTunnel,
        access: EdgeAccess?,
        earlierID: String?
    ) -> TunnelServer.Preparation {
        if let token = tunnel.token {
            let served = ServedTunnel(
                token: token,
                edge: tunnel.edge,
                publicURL: token.publicURL ?? (token.edge ?? tunnel.edge).url("/\(token.tunnelID)/"),
                target: tunnel.target,
                originTrust: tunnel.originTrust,
                connections: tunnel.connections,
                sharesConnections: tunnel.sharesConnections
            )
            return { _ in served }
        }
        guard let access else {
            return { _ in throw CommandFailure(.bug, "A tunnel without token and key was let through.") }
        }
        return TunnelCreation(
            access: access,
            // A tunnel that was given a random name keeps it when its policy changes.
            name: tunnel.name ?? earlierID,
            target: tunnel.target,
            policy: tunnel.policy,
            originTrust: tunnel.originTrust,
            connections: tunnel.connections,
            sharesConnections: tunnel.sharesConnections
        ).prepare
    }
}
