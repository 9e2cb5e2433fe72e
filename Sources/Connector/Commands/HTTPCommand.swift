// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import NIOPosix
import Protocol

/// `culvert http TARGET`: makes a tunnel and serves it.
struct HTTPCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "http",
        abstract: "Expose a local HTTP server.",
        discussion: """
            Examples:
              culvert http 3000
              culvert http 3000 --name my-app
              culvert http https://localhost:8443 --origin-tls-verify off
              culvert http unix:/run/app.sock --host-header app.internal
            """
    )

    @Argument(help: "The local server: a port, host:port, http://…, https://… or unix:/path.")
    var target: String

    @Option(help: "A stable name for the tunnel: 3 to 63 of a-z, 0-9 and -.")
    var name: String?

    @Option(
        name: .customLong("host-header"),
        help: "The Host that the local server sees: rewrite, preserve or a value."
    )
    var hostHeader = "rewrite"

    @OptionGroup var edgeOptions: EdgeOptions
    @OptionGroup var credentialOptions: CredentialOptions
    @OptionGroup var originOptions: OriginOptions

    func run() async throws {
        try await self.reportingFailures {
            let target = try OriginTarget.fromCommandLine(self.target)
            let access = try self.credentialOptions.resolve(self.edgeOptions)
            let logger = self.edgeOptions.makeLogger()
            let session = try ServingSession(
                edgeOptions: self.edgeOptions,
                originOptions: self.originOptions,
                logger: logger
            )
            try await session.run { session in
                let tunnel = try await self.create(target: target, access: access, session: session)
                return ServingSession.Tunnel(
                    token: try Self.token(tunnel.token),
                    // The edge that made the tunnel is the one to dial, whatever name it gives itself: this one is
                    // known to be reachable from here.
                    edge: access.edge,
                    publicURL: tunnel.url,
                    target: target
                ) {
                    // A tunnel that was deleted meanwhile stays deleted: only its token is asked for.
                    let answer = try await session.callControl(try access.withoutOneTimeCode()) {
                        client async throws(EdgeFailure) in try await client.renewToken(of: tunnel.tunnelID)
                    }
                    return try Self.token(answer.token)
                }
            }
        }
    }

    private static func token(_ text: String) throws(CommandFailure) -> TunnelToken {
        do {
            return try TunnelToken(parsing: text)
        } catch {
            throw CommandFailure(.unavailable, "The edge gave a token that can't be used. \(error)")
        }
    }

    private func create(
        target: OriginTarget,
        access: EdgeAccess,
        session: ServingSession
    ) async throws -> CreateTunnelResponse {
        let policy = TunnelPolicy(
            host: self.hostHeader == "rewrite" ? .rewrite(target.hostField) : HostPolicy(self.hostHeader)
        )
        let request = CreateTunnelRequest(name: self.name, localPort: target.port.flatMap(UInt16.init), policy: policy)
        return try await session.callControl(access) { client async throws(EdgeFailure) in
            try await client.create(request)
        }
    }
}

extension OriginTarget {
    /// Reads a target given on the command line.
    static func fromCommandLine(_ text: String) throws(CommandFailure) -> OriginTarget {
        do {
            return try OriginTarget(parsing: text)
        } catch {
            throw CommandFailure(.usage, error.description)
        }
    }
}
