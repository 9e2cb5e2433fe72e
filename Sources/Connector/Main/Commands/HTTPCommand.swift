// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import ControlAPI
import Foundation
import Logging
import Program

/// `culvert http TARGET`: makes a tunnel and serves it.
struct HTTPCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "http",
        abstract: "Expose a local HTTP server, or share a folder.",
        usage: "culvert http <target> [<options>] [-- <command> ...]",
        discussion: """
            A folder is shared with its files and lists of them, to be read: no names that begin with a dot, and no \
            symbolic links.

            What follows -- is started when the tunnel can be reached, with its URL in CULVERT_URL; it gets the signals, \
            and its end and exit code are those of culvert.

            Examples:
              culvert http 3000
              culvert http 3000 --name my-app
              culvert http ./folder --basic-auth-file visitors.txt
              culvert http 3000 -- npm test
              culvert http https://localhost:8443 --origin-tls-verify off
              culvert http unix:/run/app.sock --host-header app.internal
              culvert http 3000 --private --name my-app
              culvert http 3000 --basic-auth-file visitors.txt --ip-allow 192.0.2.0/24
            """
    )

    @Argument(help: "The local server: a port, host:port, http://…, https://… or unix:/path; or a folder: ./folder.")
    var target: String

    @Argument(parsing: .postTerminator, help: "A program to start when the tunnel can be reached.")
    var command: [String] = []

    @Option(help: "A stable name for the tunnel: 3 to 63 of a-z, 0-9 and -.")
    var name: String?

    @Option(name: .customLong("asked-host"), help: .hidden)
    var askedHost: String?

    @Flag(name: .customLong("private"), help: "No public address: visitors use culvert access, with an access token.")
    var isPrivate = false

    @Flag(help: "Serve a tunnel that is served from elsewhere, too, and share its visitors; needs --name.")
    var pool = false

    @OptionGroup(title: "Edge Options") var edgeOptions: EdgeOptions
    @OptionGroup(title: "Edge Options") var credentialOptions: CredentialOptions
    @OptionGroup(title: "Serving Options") var originOptions: OriginOptions
    @OptionGroup(title: "Serving Options") var statusOptions: StatusOptions
    @OptionGroup(title: "Inspection Options") var inspectOptions: InspectOptions
    @OptionGroup(title: "Policy Options") var policyOptions: PolicyOptions<TunnelPolicySchema>

    func validate() throws {
        try ConnectionServing.validatePool(self.pool, self.name)
        let most = try self.policyOptions.values()["max_connections"]
        if case .number(let most) = most, most < self.originOptions.connections {
            throw ValidationError(
                "--max-connections is \(most), and the connector keeps \(self.originOptions.connections) connections: "
                    + "raise it, or lower --connections."
            )
        }
    }

    func run() async throws {
        try await self.reportingFailures(as: self.edgeOptions.logFormat) {
            try await self.credentialOptions.access(self.edgeOptions) { try await self.serve($0) }
        }
    }

    private func serve(_ credentials: CredentialOptions) async throws {
        guard FolderServer.isFolder(self.target) else {
            let target = try OriginTarget.fromCommandLine(self.target)
            return try await self.serve(target, at: ServingPlace("\(target)"), credentials)
        }
        let path = (self.target as NSString).expandingTildeInPath
        for file in self.policyOptions.secretFiles + [credentials.apiKeyFile].compactMap(\.self)
        where FolderServer.shares(file, in: path) {
            throw CommandFailure(
                .usage,
                "\(PeerText.printable(file)) lies in the folder that is shared, where every visitor could read it: put it "
                    + "elsewhere."
            )
        }
        let folder = try await FolderServer.start(sharing: path)
        defer { folder.stop() }
        try await self.serve(folder.target, at: ServingPlace(URL(fileURLWithPath: path).path), credentials)
    }

    private func serve(_ target: OriginTarget, at place: ServingPlace, _ credentials: CredentialOptions) async throws {
        let access = try credentials.resolve(self.edgeOptions)
        let logger = self.edgeOptions.makeLogger()
        if self.policyOptions.hasSecrets {
            logger.warning(
                "--basic-auth stays in the history of the shell, password and all; --basic-auth-file FILE does not."
            )
        }
        let policy = try self.policyOptions.policy()
        let run = try ServingRun(
            edgeOptions: self.edgeOptions,
            statusOptions: self.statusOptions,
            inspectOptions: self.inspectOptions,
            targets: [target],
            connections: self.originOptions.connections,
            name: self.name,
            companion: self.command.isEmpty ? nil : Companion(self.command),
            logger: logger
        )
        let trust = try self.originOptions.originTrust(for: target)
        let connections = self.originOptions.connections
        let (isPrivate, pools) = (self.isPrivate, self.pool)
        let creation: @Sendable (String?) -> TunnelCreation = { name in
            TunnelCreation(
                access: access,
                name: name,
                isPrivate: isPrivate,
                place: place,
                pools: pools,
                target: target,
                policy: policy,
                originTrust: trust,
                connections: connections
            )
        }
        if let name = self.name {
            let askedHost = self.askedHost
            return try await run.run { server in
                let tunnel = try await creation(name).prepare(server)
                if let askedHost,
                    let sentence = ServedTunnel.sentence(askedFor: askedHost, givenURL: tunnel.publicURL)
                {
                    logger.warning("\(sentence)")
                }
                return tunnel
            }
        }
        let passing = PassingTunnel(
            access: access,
            certificateAuthorityFile: self.edgeOptions.authorities().file(for: access.edge),
            name: RememberedName(
                edge: "\(access.edge)",
                target: self.target,
                folder: FileManager.default.currentDirectoryPath,
                environment: ProgramEnvironment.variables
            )
        )
        do {
            try await run.run { server in try await passing.prepare(server, creation) }
        } catch {
            await passing.forget()
            throw error
        }
        await passing.forget()
    }
}

extension OriginTarget {
    /// Reads a target given on the command line.
    static func fromCommandLine(
        _ text: String,
        for kind: TunnelKind = .http
    ) throws(CommandFailure) -> OriginTarget {
        do {
            return try OriginTarget(parsing: text, for: kind)
        } catch {
            var isFolder: ObjCBool = false
            let path = text.hasPrefix(".") || text.hasPrefix("/") ? text : "./\(text)"
            if kind == .http, FileManager.default.fileExists(atPath: text, isDirectory: &isFolder), isFolder.boolValue {
                throw CommandFailure(.usage, "The folder “\(text)” is shared by culvert http \(path).")
            }
            throw CommandFailure(.usage, error.description)
        }
    }
}
