// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import Foundation
import Program

/// `culvert start`: serves all tunnels of a file.
struct StartCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "Serve several tunnels from a file.",
        discussion: """
            The file:
              edge: https://edge.example.com
              tunnels:
                - name: my-app
                  target: 3000
                  policy:
                    path-mode: keep
                - token-file: /etc/culvert/token
                  target: unix:/run/app.sock
                - target: ./folder

            After SIGHUP the file is read again: tunnels that did not change are not disturbed.

            Examples:
              culvert start
              culvert start tunnels.yaml
              culvert config check --config culvert.yaml
              pkill -HUP -f 'culvert start'
            """
    )

    @OptionGroup var tunnels: TunnelsFileOptions
    @OptionGroup var edgeOptions: EdgeOptions
    @OptionGroup var credentialOptions: CredentialOptions
    @OptionGroup var statusOptions: StatusOptions
    @OptionGroup(title: "Inspection Options") var inspectOptions: InspectOptions

    func run() async throws {
        try await self.reportingFailures(as: self.edgeOptions.logFormat) {
            try await self.credentialOptions.access(self.edgeOptions) { try await self.serve($0) }
        }
    }

    private func serve(_ credentials: CredentialOptions) async throws {
        let path = try self.tunnels.path()
        let source = TunnelsFileSource(
            path: path,
            edge: self.edgeOptions.edge,
            apiKeyFile: credentials.apiKeyFile,
            oneTimeCode: credentials.otp,
            environment: ProgramEnvironment.variables
        )
        defer { source.folders.stop() }
        let file = try TunnelsFile(reading: path)
        let desired = try source.tunnels(of: file)
        let run = try ServingRun(
            edgeOptions: self.edgeOptions,
            statusOptions: self.statusOptions,
            inspectOptions: self.inspectOptions,
            inspectSettings: file.inspect,
            targets: desired.tunnels.map(\.target),
            connections: desired.tunnels.map(\.connections).max() ?? 1,
            logger: self.edgeOptions.makeLogger()
        )
        var later = source
        // A one-time code is valid for one call, which the first read of the file has used.
        later.oneTimeCode = nil
        let set = TunnelSet(server: run.server, initial: desired) { [later] () throws(CommandFailure) in
            try later.read()
        }
        do {
            try await run.run(set, hangUp: .reload { set.reload() })
        } catch let failure as CommandFailure where failure.wantsOneTimeCode {
            throw source.manyCodes(file) ?? failure
        }
    }
}

/// Which file of tunnels to use.
struct TunnelsFileOptions: ParsableArguments {
    @Argument(help: "The same as --config.", completion: .file(extensions: ["yaml", "yml"]))
    var file: String?

    @Option(
        help: ArgumentHelp(
            "The file with the tunnels; else ./culvert.yaml, then ~/.config/culvert/culvert.yaml.",
            valueName: "file"
        ),
        completion: .file(extensions: ["yaml", "yml"])
    )
    var config: String?

    func validate() throws {
        guard self.file == nil || self.config == nil else {
            throw ValidationError("The file is named twice: by --config, and without it.")
        }
    }

    /// Whether a word may be meant for a tunnel, which other programs start by its name.
    private static func isName(_ word: String) -> Bool {
        // `-` is standard input.
        !word.contains("/") && !word.contains(".") && !["-", ""].contains(word)
    }

    /// The file to use.
    ///
    /// - Parameter environment: The environment of the process.
    /// - Throws: ``CommandFailure`` if none is named and there is none where one is looked for.
    func path(environment: [String: String] = ProgramEnvironment.variables) throws(CommandFailure) -> String {
        if let file, Self.isName(file), !FileManager.default.fileExists(atPath: file) {
            throw CommandFailure(
                .configuration,
                "There is no file \(file). What is wanted is a file of tunnels, all of which are served; one alone takes a "
                    + "file of its own, or culvert http TARGET --name \(file)."
            )
        }
        if let named = self.config ?? self.file { return named }
        let places = Self.places(environment: environment)
        if let place = places.first(where: FileManager.default.fileExists(atPath:)) { return place }
        throw CommandFailure(
            .usage,
            "Which tunnels? Give --config FILE; there is none at \(places.joined(separator: " or "))."
        )
    }

    /// Where a file is looked for when none is named.
    static func places(environment: [String: String]) -> [String] {
        let folder = LoginFile.path(environment: environment).map { ($0 as NSString).deletingLastPathComponent }
        return ["culvert.yaml"] + (folder.map { ["\($0)/culvert.yaml"] } ?? [])
    }
}
