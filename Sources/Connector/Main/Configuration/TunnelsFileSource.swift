// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation

/// A file of tunnels together with the settings of the command line and the environment.
struct TunnelsFileSource: Sendable {
    var path: String
    /// The value of `--edge`.
    var edge: String?
    /// The value of `--api-key-file`.
    var apiKeyFile: String?
    /// The value of `--otp`.
    var oneTimeCode: String?
    var environment: [String: String]
    /// Serve the folders of the file.
    var folders = FolderServers()

    /// Reads the file, and returns the tunnels to serve.
    ///
    /// - Throws: ``CommandFailure`` with everything that is wrong with the file.
    func read() throws(CommandFailure) -> DesiredTunnels {
        try self.tunnels(of: TunnelsFile(reading: self.path))
    }

    /// Returns the tunnels to serve of a file that was read.
    ///
    /// - Throws: ``CommandFailure`` if it is not known which edge to dial, or if a tunnel is there twice.
    func tunnels(of file: TunnelsFile) throws(CommandFailure) -> DesiredTunnels {
        let access = try file.tunnels.contains { $0.token == nil } ? self.access(file) : nil
        if access?.credentials.oneTimeCode != nil, let failure = self.manyCodes(file) { throw failure }
        var tunnels: [DesiredTunnel] = []
        for (entry, identity) in zip(file.tunnels, DesiredTunnel.Identity.of(file.tunnels)) {
            var tunnel = DesiredTunnel(
                identity: identity,
                target: entry.target,
                originTrust: entry.originTrust,
                name: entry.name,
                port: entry.port,
                isPrivate: entry.isPrivate,
                token: entry.token,
                tokenFile: entry.tokenFile.flatMap { TokenFile($0) },
                policy: entry.policy,
                edge: try self.edge(of: entry, file: file, access: access),
                connections: file.connections ?? TunnelsFile.defaultConnections,
                sharesConnections: file.sharesConnections ?? true
            )
            tunnel.isInspected = entry.isInspected
            tunnel.pools = entry.pools
            tunnel.inbox = entry.inbox
            tunnels.append(tunnel)
        }
        try self.refuseTwice(zip(file.tunnels, tunnels).map { ($0, $1.edge) })
        let path = URL(fileURLWithPath: self.path).path
        let codes = self.manyCodes(file, isServing: true)
        return DesiredTunnels(tunnels: tunnels) { [folders] tunnel, earlierID in
            // An edited tunnel of the file has the place that it had.
            let place = ServingPlace(path, "\(tunnel.identity)")
            return { server in
                var tunnel = tunnel
                if let folder = tunnel.target.folder { tunnel.target = try await folders.target(of: folder) }
                let prepare = Self.preparation(of: tunnel, at: place, access: access, earlierID: earlierID)
                var served: ServedTunnel
                do {
                    served = try await prepare(server)
                } catch var failure as CommandFailure where failure.wantsOneTimeCode {
                    // A code would do for one of them.
                    failure.message = codes?.message ?? failure.message
                    throw failure
                }
                served.isInspected = tunnel.isInspected
                return served
            }
        }
    }

    /// Finds a tunnel that is there by its name and by a token, or by two tokens, at the edge that is dialled for each.
    private func refuseTwice(_ entries: [(entry: TunnelsFile.Entry, edge: EdgeAddress)]) throws(CommandFailure) {
        struct Key: Hashable {
            var edge: EdgeAddress
            var id: String
        }
        var first: [Key: TunnelsFile.Entry] = [:]
        var problems: [TunnelsFile.Problem] = []
        for (entry, edge) in entries {
            guard let id = entry.token?.tunnelID ?? entry.name else { continue }
            guard let other = first.updateValue(entry, forKey: Key(edge: edge, id: id)) else { continue }
            let message = TunnelsFile.again(id, byToken: entry.token != nil, first: other.line ?? 0)
            problems.append(TunnelsFile.Problem(line: entry.line, message: message))
        }
        guard problems.isEmpty else {
            throw CommandFailure(.configuration, TunnelsFile.Problems(list: problems).report(for: self.path))
        }
    }

    /// Why one code does not do for the file; `nil` if it does.
    ///
    /// A code is good for one call, and each tunnel that is made by the key takes one: some of the tunnels would be
    /// served, and the others not.
    ///
    /// - Parameter isServing: Whether other tunnels of the file may be served, which need none.
    func manyCodes(_ file: TunnelsFile, isServing: Bool = false) -> CommandFailure? {
        let made = file.tunnels.filter { $0.token == nil }
        guard made.count > 1 else { return nil }
        return CommandFailure(
            .usage,
            "A one-time code is good for one tunnel, and \(BoundedFile.name(of: self.path)) has \(made.count) that need one: "
                + "\(isServing ? "these are not served" : "nothing was started"). "
                + "Use a key without a second factor (culvert-edge credentials new --no-otp), or give each tunnel a "
                + "“token-file” made by culvert tunnels create."
        )
    }

    /// Finds the edge and the key: flags have precedence over the environment, that over the file, and that over the
    /// login file.
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
            // The token's edge is more specific than the edge that the file names for all tunnels.
            if let edge = token.edge ?? file.edge { return edge }
            throw CommandFailure(
                .configuration,
                "\(BoundedFile.name(of: self.path)): The token in \(entry.tokenFile ?? "a file") does not say which edge to dial: add “edge”."
            )
        }
        guard let access else { throw CommandFailure(.bug, "A tunnel without token and key was let through.") }
        return access.edge
    }

    private static func preparation(
        of tunnel: DesiredTunnel,
        at place: ServingPlace,
        access: EdgeAccess?,
        earlierID: String?
    ) -> TunnelServer.Preparation {
        if let token = tunnel.token {
            let served = ServedTunnel(
                token: token,
                edge: tunnel.edge,
                publicURL: token.publicURL ?? (token.edge ?? tunnel.edge).url("/\(token.tunnelID)/"),
                target: tunnel.target,
                originTrust: tunnel.originTrust.naming(token.hostField),
                connections: tunnel.connections,
                sharesConnections: tunnel.sharesConnections,
                tokenFile: tunnel.tokenFile
            )
            return { _ in served }
        }
        guard let access else {
            return { _ in throw CommandFailure(.bug, "A tunnel without token and key was let through.") }
        }
        return TunnelCreation(
            access: access,
            // A tunnel with a random name keeps it when its policy changes.
            name: tunnel.name ?? earlierID,
            port: tunnel.port,
            isPrivate: tunnel.isPrivate,
            place: place,
            pools: tunnel.pools,
            target: tunnel.target,
            policy: tunnel.policy,
            originTrust: tunnel.originTrust,
            connections: tunnel.connections,
            sharesConnections: tunnel.sharesConnections,
            inbox: tunnel.inbox
        ).prepare
    }
}
