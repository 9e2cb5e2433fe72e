// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import ControlAPI
import Foundation
import Logging
import NIOCore
import Program

/// `culvert access NAME`: visits a tunnel, through standard input and output or a port of this machine.
struct AccessCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "access",
        abstract: "Visit a tunnel with an access token, be it public or not.",
        usage: "culvert access <tunnel> [--listen <address>] [<options>]",
        discussion: """
            Without --listen the tunnel's bytes are standard input and output, as OpenSSH's ProxyCommand wants it.

            Examples:
              culvert access my-database --listen 127.0.0.1:5432
              CULVERT_ACCESS_TOKEN=… culvert access my-database --listen 5432
              ssh -o ProxyCommand='culvert access my-ssh' user@my-ssh
            """
    )

    @Argument(help: "The tunnel's name or id, or its URL as culvert tcp --private prints it.")
    var tunnel: String

    @Option(help: ArgumentHelp("The port, or address and port, of this machine to listen on.", valueName: "address"))
    var listen: String?

    @Option(
        name: .customLong("token-file"),
        help: ArgumentHelp(
            "A file with the access token, - for standard input (CULVERT_ACCESS_TOKEN).",
            valueName: "file"
        ),
        completion: .file()
    )
    var tokenFile: String?

    @OptionGroup(title: "Edge Options") var edgeOptions: EdgeOptions
    @OptionGroup(title: "Edge Options") var credentialOptions: CredentialOptions

    func run() async throws {
        try await self.reportingFailures(as: self.edgeOptions.logFormat) {
            signal(SIGPIPE, SIG_IGN)
            let place = AccessPlace(self.tunnel)
            let logger = self.edgeOptions.makeLogger()
            let access = try self.access(to: place, logger)
            if let listen = self.listen {
                try await self.serve(access, on: try Self.address(listen), logger)
            } else {
                try await self.passStandardStreams(access)
            }
        }
    }

    private func serve(_ access: TunnelAccess, on address: (host: String, port: Int), _ logger: Logger) async throws {
        let listener = try await AccessListener(access: access, logger: logger).bind(
            host: address.host,
            port: address.port
        )
        let shown = listener.localAddress.map { "\($0.ipAddress ?? address.host):\($0.port ?? address.port)" }
        StandardStream.output.writeLine(shown ?? self.listen ?? "")
        try await listener.closeFuture.get()
    }

    private func passStandardStreams(_ access: TunnelAccess) async throws {
        let local = try await StandardStreams.open(on: access.eventLoop)
        let (failures, told) = AsyncStream.makeStream(of: String.self)
        do {
            try await access.join(local) { told.yield($0) }
        } catch {
            try? await local.close()
            throw error
        }
        try? await local.closeFuture.get()
        told.finish()
        StandardStreams.drain()
        for await reason in failures { throw CommandFailure(.unavailable, "The connection broke: \(reason).") }
    }

    private func access(to place: AccessPlace, _ logger: Logger) throws(CommandFailure) -> TunnelAccess {
        let environment = ProgramEnvironment.variables
        let given = self.edgeOptions.edge ?? place.edge
        let text = try self.tokenFile.map { file throws(CommandFailure) in
            try SecretFile.read(file, what: "an access token")
        }
        if let text = text ?? environment["CULVERT_ACCESS_TOKEN"] {
            let token = try Self.token(text)
            guard token.tunnelID == place.tunnel else {
                throw CommandFailure(
                    .refused,
                    "The access token is for \(token.tunnelID), and not for \(place.tunnel)."
                )
            }
            guard let edge = try given.map(EdgeAccess.address) ?? token.edge else {
                throw CommandFailure(.configuration, "The token does not say which edge to dial: give --edge URL.")
            }
            return try self.access(at: edge, logger) { token }
        }
        let access = try EdgeAccess.resolve(
            edge: given,
            apiKeyFile: self.credentialOptions.apiKeyFile,
            oneTimeCode: self.credentialOptions.otp,
            environment: environment
        )
        let file = self.edgeOptions.authorities().file(for: access.edge)
        let call = try ControlCall(access: access, certificateAuthorityFile: file)
        return try self.access(at: access.edge, logger) { [tunnel = place.tunnel] in
            let answer = try await call.perform { client async throws(EdgeFailure) in
                try await client.issueAccess(to: tunnel, TunnelAccessRequest())
            }
            return try Self.token(answer.token)
        }
    }

    private func access(
        at edge: EdgeAddress,
        _ logger: Logger,
        _ source: @escaping TunnelAccess.TokenSource
    ) throws(CommandFailure) -> TunnelAccess {
        try TunnelAccess(
            edge: edge,
            certificateAuthorityFile: self.edgeOptions.authorities().file(for: edge),
            logger: logger,
            source: source
        )
    }

    static func token(_ text: String) throws(CommandFailure) -> TunnelToken {
        do {
            return try TunnelToken(parsing: text)
        } catch .badEdge(let reason) {
            throw CommandFailure(.refused, "The access token names an edge that can't be dialled: \(reason).")
        } catch {
            throw CommandFailure(
                .refused,
                "That is not an access token: it should be the text that culvert tunnels access NAME prints."
            )
        }
    }

    private static func address(_ text: String) throws(CommandFailure) -> (host: String, port: Int) {
        if let port = UInt16(text) { return ("127.0.0.1", Int(port)) }
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            throw CommandFailure(.usage, "--listen takes a port, or an address and a port such as 127.0.0.1:5432.")
        }
        return (text[..<colon].trimmingCharacters(in: ["[", "]"]), Int(port))
    }
}

/// Which tunnel is visited, and at which edge, if the text says that.
struct AccessPlace: Equatable, Sendable {
    var tunnel: String
    var edge: String?

    /// Reads a name, or `culvert+https://edge.example.com/name`.
    init(_ text: String) {
        guard text.hasPrefix("culvert+"), let slash = text.lastIndex(of: "/") else {
            self.tunnel = text
            return
        }
        self.tunnel = String(text[text.index(after: slash)...])
        self.edge = String(text[..<slash].dropFirst("culvert+".count))
    }
}
