// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import ControlAPI
import Foundation
import Program

extension InboxCommand {
    /// `culvert inbox set TUNNEL`.
    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make an inbox for a tunnel, or change it.",
            usage: "culvert inbox set <tunnel> [--path <path> …] [<options>]",
            discussion: """
                What is left out has its default, also where the inbox is there already.

                Examples:
                  culvert inbox set my-app --path '/hooks/*'
                  culvert inbox set my-app --path /github --verify github --secret-file secret
                  culvert inbox set my-app --always --echo query:hub.challenge
                  culvert inbox set my-app --file inbox.json
                """
        )

        @Argument(help: "The tunnel's id or name.")
        var tunnel: String

        @Option(
            name: .customLong("path"),
            help: ArgumentHelp(
                "Which paths: * stands for anything within a segment, ** for anything. Every path by default.",
                valueName: "path"
            )
        )
        var paths: [String] = []

        @Option(
            name: .customLong("method"),
            help: ArgumentHelp("Which methods; POST, PUT and PATCH by default.", valueName: "method")
        )
        var methods: [String] = []

        @Flag(help: "Keep each request, answer at once, and deliver it behind the answer.")
        var always = false

        @Option(
            help: ArgumentHelp(
                "Whose signatures to check: github, stripe, slack, standard or shopify.",
                valueName: "scheme"
            )
        )
        var verify: InboxSettings.Verification.Scheme?

        @Option(
            name: .customLong("secret-file"),
            help: ArgumentHelp("A file with the secret of these signatures, - for standard input.", valueName: "file"),
            completion: .file()
        )
        var secretFile: String?

        @Flag(help: "Let requests with a wrong signature through, and mark those that are kept.")
        var mark = false

        @Option(
            name: .customLong("echo"),
            help: ArgumentHelp("Handshakes to answer: query:NAME or json:NAME.", valueName: "name")
        )
        var echoes: [String] = []

        @Option(
            help: ArgumentHelp("A file with all settings, in the JSON of the control API.", valueName: "file"),
            completion: .file()
        )
        var file: String?

        @Flag(help: "Print the JSON of the control API.")
        var json = false

        @OptionGroup var edgeOptions: EdgeOptions
        @OptionGroup var credentialOptions: CredentialOptions

        func validate() throws {
            if self.verify == .generic {
                throw ValidationError("The scheme generic has more parts than options: give --file.")
            }
            guard (self.verify != nil) == (self.secretFile != nil) || self.file != nil else {
                throw ValidationError("--verify and --secret-file belong together.")
            }
        }

        func run() async throws {
            try await self.reportingFailures(as: self.edgeOptions.logFormat) {
                let (id, settings) = (self.tunnel, try self.settings())
                let inbox = try await ControlCall(self.edgeOptions, self.credentialOptions).perform {
                    client async throws(EdgeFailure) in try await client.setInbox(of: id, settings)
                }
                try StandardStream.output.writeLine(self.json ? JSONText.of(inbox) : InboxTable.details(inbox))
            }
        }

        /// The settings that the options ask for.
        func settings() throws(CommandFailure) -> InboxSettings {
            var settings = InboxSettings()
            if let file {
                guard let data = FileManager.default.contents(atPath: file) else {
                    throw CommandFailure(.usage, "The file \(file) can't be read: \(FileFault.words(file)).")
                }
                do {
                    settings = try APICoding.makeDecoder().decode(InboxSettings.self, from: data)
                } catch {
                    throw CommandFailure(.usage, "\(file) is not the JSON of an inbox's settings.")
                }
            }
            if !self.paths.isEmpty { settings.paths = self.paths }
            if !self.methods.isEmpty { settings.methods = self.methods }
            if !self.echoes.isEmpty { settings.echo = self.echoes }
            if self.always { settings.when = .always }
            if let verify { settings.verify = InboxSettings.Verification(scheme: verify, secret: nil) }
            if let secretFile {
                settings.verify?.secret = try SecretFile.read(secretFile, what: "the secret of signatures")
            }
            if self.mark { settings.verify?.onFailure = .mark }
            if let fault = settings.fault, fault.field != "verify.secret" {
                throw CommandFailure(.usage, "\(fault.field) \(fault.message).")
            }
            return settings
        }
    }
}

extension InboxSettings.Verification.Scheme: ExpressibleByArgument {}
