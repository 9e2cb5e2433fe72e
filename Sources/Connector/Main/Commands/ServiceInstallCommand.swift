// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import Foundation

extension ServiceCommand {
    /// `culvert service install`.
    struct Install: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a hardened systemd unit for a file of tunnels, or for one token.",
            usage: "culvert service install [<options>]",
            discussion: """
                The service of the machine runs as a user of its own, which may read nothing of others. Files with keys, \
                tokens and passwords are handed to it by systemd, so they can stay root's; the file of tunnels has to be \
                readable by everybody, because it is read again on reload.

                Examples:
                  sudo culvert service install --config /etc/culvert/culvert.yaml
                  sudo culvert service install --token-file /etc/culvert/token --to 3000
                  culvert service install --user --config ~/culvert.yaml
                  culvert service install --config /etc/culvert/culvert.yaml --print
                """
        )

        @Option(
            help: ArgumentHelp("Serve the tunnels of this file.", valueName: "file"),
            completion: .file(extensions: ["yaml", "yml"])
        )
        var config: String?

        @Option(
            name: .customLong("token-file"),
            help: ArgumentHelp("Serve the tunnel of the token in this file.", valueName: "file"),
            completion: .file()
        )
        var tokenFile: String?

        @Option(
            name: .customLong("to"),
            help: ArgumentHelp("With --token-file, the local server.", valueName: "target")
        )
        var target: String?

        @Option(help: ArgumentHelp("The edge to use.", valueName: "url"))
        var edge: String?

        @Option(
            name: .customLong("api-key-file"),
            help: ArgumentHelp("With --config, a file with the API key.", valueName: "file"),
            completion: .file()
        )
        var apiKeyFile: String?

        @Option(
            name: .customLong("ca-file"),
            help: ArgumentHelp("Trust the edge by these PEM certificates only.", valueName: "file"),
            completion: .file()
        )
        var certificateAuthorityFile: String?

        @Option(
            help: ArgumentHelp("The program to run, if not this one.", valueName: "file"),
            completion: .file()
        )
        var program: String?

        @Flag(help: "Print the unit, and write nothing.")
        var print = false

        @Flag(help: "Overwrite a unit that culvert did not make.")
        var force = false

        @OptionGroup var place: UnitPlace

        func validate() throws {
            guard (self.config == nil) != (self.tokenFile == nil) else {
                throw ValidationError(
                    "Which tunnels? Give either --config FILE, or --token-file FILE with --to TARGET."
                )
            }
            guard (self.tokenFile == nil) == (self.target == nil) else {
                throw ValidationError("--token-file and --to belong together.")
            }
            guard self.tokenFile == nil || self.apiKeyFile == nil else {
                throw ValidationError("A token needs no API key: leave --api-key-file out.")
            }
        }

        func run() async throws {
            try await self.reportingFailures {
                let unit = try self.unit()
                guard !self.print else { return StandardStream.output.write(unit.text) }
                let file = try self.place.file()
                try file.install(unit, force: self.force)
                StandardStream.output.writeLine(
                    """
                    Wrote \(file.path). Now run:
                      \(self.place.systemctl) daemon-reload
                      \(self.place.systemctl) enable --now \(self.place.name)
                    """
                )
            }
        }

        /// Makes the unit, and checks what would otherwise fail when the service starts.
        func unit() throws(CommandFailure) -> ServiceUnit {
            let program = Self.absolute(self.program ?? Self.ownPath)
            try self.checkVisible(program, "The program", advice: "copy it to /usr/local/bin and run it from there")
            var unit = ServiceUnit(
                scope: self.place.scope,
                userName: self.place.name,
                program: program,
                arguments: [],
                canReload: self.config != nil
            )
            if let config {
                let path = Self.absolute(config)
                try self.checkVisible(path, "The file \(path)", advice: "move it to /etc/culvert")
                let tunnels = try TunnelsFile(reading: path)
                try self.checkReadable(path)
                unit.arguments = ["start", "--config", path]
                unit.credentialFiles = tunnels.namedFiles
            } else if let tokenFile, let target {
                _ = try OriginTarget.fromCommandLine(target)
                _ = try TunnelToken.read(file: tokenFile, argument: nil, environment: [:])
                unit.arguments = ["connect", "--token-file", Self.absolute(tokenFile), "--to", target]
                unit.credentialFiles = [Self.absolute(tokenFile)]
            }
            if let edge {
                unit.arguments += ["--edge", try EdgeAccess.address(edge).description]
            }
            if let apiKeyFile {
                _ = try Credentials(apiKey: try SecretFile.read(apiKeyFile, what: "an API key"))
                unit.arguments += ["--api-key-file", Self.absolute(apiKeyFile)]
                unit.credentialFiles.append(Self.absolute(apiKeyFile))
            }
            if let certificateAuthorityFile {
                let path = Self.absolute(certificateAuthorityFile)
                try self.checkVisible(path, "The file \(path)", advice: "move it to /etc/culvert")
                try self.checkReadable(path)
                unit.arguments += ["--ca-file", path]
            }
            var seen: Set<String> = []
            unit.credentialFiles = unit.credentialFiles.filter { seen.insert($0).inserted }
            return unit
        }

        /// Refuses paths that a system service can't see: homes are hidden from it, and it has a `/tmp` of its own.
        private func checkVisible(_ path: String, _ what: String, advice: String) throws(CommandFailure) {
            let hidden = ["/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/"]
            guard self.place.scope == .system, hidden.contains(where: path.hasPrefix) else { return }
            throw CommandFailure(
                .configuration,
                "\(what) is where a service can't see it: \(advice), or use --user for a service of your own."
            )
        }

        private func checkReadable(_ path: String) throws(CommandFailure) {
            let attributes = try? FileManager.default.attributesOfItem(atPath: path)
            let permissions = (attributes?[.posixPermissions] as? NSNumber)?.intValue ?? 0
            guard self.place.scope == .system, permissions & 0o004 == 0 else { return }
            throw CommandFailure(
                .configuration,
                "The service's own user can't read \(path): put passwords into files of their own (password-file), "
                    + "and run chmod 644 on it."
            )
        }

        private static func absolute(_ path: String) -> String {
            URL(fileURLWithPath: path).standardizedFileURL.path
        }

        private static var ownPath: String {
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
                ?? ProcessInfo.processInfo.arguments.first ?? "culvert"
        }
    }
}
