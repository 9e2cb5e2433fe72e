// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import Foundation
import NIOPosix
import NIOSSL
import Program

/// `culvert diagnose`: what works and what does not, from the name of the edge to the local port.
struct DiagnoseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diagnose",
        abstract: "Try everything that a tunnel needs, one after the other.",
        usage: "culvert diagnose [<options>]",
        discussion: """
            With an API key a tunnel is made for the moment, and a request sent through its public URL.

            Ends with 0 if all is well, else with the exit code of the first step that failed.

            Examples:
              culvert diagnose --to 3000
              culvert diagnose --edge https://edge.example.com
              culvert diagnose --token-file token.txt --to 3000
              culvert diagnose --to https://localhost:8443 --origin-ca-file ca.pem
            """
    )

    @Option(
        name: .customLong("token-file"),
        help: ArgumentHelp("Try a tunnel with this token, - for standard input (CULVERT_TOKEN).", valueName: "file"),
        completion: .file()
    )
    var tokenFile: String?

    @Option(name: .customLong("to"), help: ArgumentHelp("Try this local server, too.", valueName: "target"))
    var target: String?

    /// The same without its flag, as `culvert http` has it.
    @Argument(help: .hidden)
    var place: String?

    @OptionGroup var trustOptions: OriginTrustOptions

    @Flag(help: "Print the findings as JSON.")
    var json = false

    @OptionGroup var edgeOptions: EdgeOptions
    @OptionGroup var credentialOptions: CredentialOptions

    func validate() throws {
        guard self.target == nil || self.place == nil else {
            throw ValidationError("The local server is named twice: by --to, and without it.")
        }
        guard (self.target ?? self.place) != nil || self.trustOptions.isDefault else {
            throw ValidationError("--origin-ca-file and --origin-tls-verify are for the target of --to: add it.")
        }
    }

    func run() async throws {
        try await self.reportingFailures(as: self.edgeOptions.logFormat) {
            let report = try await self.makeDiagnosis().run()
            let text = try self.json ? report.json() : report.text(columns: TerminalDevice().columns)
            StandardStream.output.writeLine(text)
            if report.status != .success { throw ExitCode(report.status.rawValue) }
        }
    }

    /// The edge and the key, if there are any; a key that was given and can't be one is not as good as none.
    private func access(_ environment: [String: String]) throws -> EdgeAccess? {
        let isKeyGiven = self.credentialOptions.apiKeyFile != nil || environment["CULVERT_API_KEY"]?.isEmpty == false
        do throws(CommandFailure) {
            return try self.credentialOptions.resolve(self.edgeOptions)
        } catch {
            guard error.status == .usage || !isKeyGiven else { throw error }
            return nil
        }
    }

    /// Reads what `--to` names.
    static func server(_ text: String) throws(CommandFailure) -> OriginTarget {
        let isServer = (try? OriginTarget(parsing: text)) != nil
        guard FolderServer.isFolder(text) || !isServer && FolderServer.fault(of: text) == nil else {
            return try OriginTarget.fromCommandLine(text)
        }
        throw CommandFailure(
            .usage,
            "“\(PeerText.printable(text))” stands for a folder, and culvert diagnose tries servers: leave --to out, and "
                + "all else is tried. A socket is written unix:/path."
        )
    }

    private func makeDiagnosis() throws -> Diagnosis {
        let environment = ProgramEnvironment.variables
        var token: TunnelToken?
        if self.tokenFile != nil || environment["CULVERT_TOKEN"] != nil {
            token = try TunnelToken.read(file: self.tokenFile, argument: nil, environment: environment)
        }
        let access = try self.access(environment)
        let given = try (self.edgeOptions.edge ?? environment["CULVERT_EDGE"]).map(EdgeAccess.address)
        guard let edge = given ?? token?.edge ?? access?.edge else {
            throw CommandFailure(
                .usage,
                "Which edge? Give --edge URL or --token-file FILE, or run culvert login."
            )
        }
        let target = try (self.target ?? self.place).map(Self.server)
        let trust = try target.map { target throws(CommandFailure) in try self.trustOptions.originTrust(for: target) }
        let certificateAuthorityFile = self.edgeOptions.authorities().file(for: edge)
        return Diagnosis(
            edge: edge,
            credentials: access.flatMap { $0.edge == edge ? $0.credentials : nil },
            sourceOfKey: EdgeAccess.sourceOfKey(
                arguments: Array(CommandLine.arguments.dropFirst()),
                environment: environment
            ),
            token: token,
            target: target,
            originTLS: target?.usesTLS == true ? try trust.map(OriginTLS.init(checking:)) : nil,
            edgeTLS: try NIOSSLContext.toEdge(certificateAuthorityFile: certificateAuthorityFile),
            certificateAuthorityFile: certificateAuthorityFile,
            proxy: try ProxyRules(environment: environment).proxy(for: edge),
            group: MultiThreadedEventLoopGroup.singleton
        )
    }
}
