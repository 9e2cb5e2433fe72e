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
                What is left out stays as it is in an inbox that is there already, and has its default in a new one; with \
                --file, or --defaults, it has its default in both.

                Examples:
                  culvert inbox set my-app --path '/hooks/*'
                  culvert inbox set my-app --path /github --verify github --secret-file secret
                  culvert inbox set my-app --always --echo query:hub.challenge
                  culvert inbox set my-app --no-always
                  culvert inbox set my-app --file inbox.json
                """
        )

        @OptionGroup var named: NamedTunnel

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

        @Flag(
            inversion: .prefixedNo,
            help:
                "Keep each request, answer at once, and deliver it behind the answer; or those alone that nobody can take."
        )
        var always: Bool?

        @Option(
            help: ArgumentHelp(
                "Whose signatures to check; what makes a generic one is set by --file.",
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

        @Flag(
            inversion: .prefixedNo,
            help: "Let requests with a wrong signature through, and mark those that are kept; or refuse them."
        )
        var mark: Bool?

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

        @Flag(help: "Begin with the defaults, whatever the inbox has now.")
        var defaults = false

        @OptionGroup var options: AnswerOptions

        func validate() throws {
            if self.verify == .generic {
                throw ValidationError("The scheme generic has more parts than options: give --file.")
            }
            guard (self.verify != nil) == (self.secretFile != nil) || self.file != nil else {
                throw ValidationError("--verify and --secret-file belong together.")
            }
        }

        func run() async throws {
            try await self.reportingFailures(as: self.options.control.logFormat) {
                let settings = try self.settings(from: try await self.present())
                let id = self.named.tunnel
                let inbox = try await self.options.control.change {
                    client async throws(EdgeFailure) in try await client.setInbox(of: id, settings)
                }
                try self.options.write(inbox, as: InboxTable.details(inbox))
            }
        }

        /// The settings of the inbox that is there, which stay where the options say nothing; `nil` where they don't count.
        private func present() async throws -> InboxSettings? {
            guard self.file == nil, !self.defaults else { return nil }
            let id = self.named.tunnel
            return try await self.options.control.read {
                client async throws(EdgeFailure) in try await client.inboxIfAny(of: id)?.settings
            }
        }

        /// The settings that the options ask for.
        ///
        /// - Parameter present: Those of the inbox that is there; their secret is not among them, and stays at the edge.
        func settings(from present: InboxSettings? = nil) throws(CommandFailure) -> InboxSettings {
            var settings = present ?? InboxSettings()
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
            if let always { settings.when = always ? .always : .unreachable }
            if let verify {
                let onFailure = settings.verify?.onFailure
                settings.verify = InboxSettings.Verification(scheme: verify, secret: nil)
                if let onFailure { settings.verify?.onFailure = onFailure }
            }
            if let secretFile {
                settings.verify?.secret = try SecretFile.read(secretFile, what: "the secret of signatures")
            }
            if let mark {
                guard settings.verify != nil else {
                    throw CommandFailure(.usage, "--mark is about signatures: give --verify and --secret-file, too.")
                }
                settings.verify?.onFailure = mark ? .mark : .refuse
            }
            if let fault = settings.fault, fault.field != "verify.secret" {
                throw CommandFailure(.usage, "\(fault.field) \(fault.message).")
            }
            return settings
        }
    }
}

extension InboxSettings.Verification.Scheme: ExpressibleByArgument {}
