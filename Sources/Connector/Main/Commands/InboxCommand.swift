// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import ControlAPI
import Foundation
import Program

/// `culvert inbox …`: webhooks that the edge keeps while nobody can take them.
struct InboxCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inbox",
        abstract: "Keep webhooks at the edge while nothing is connected.",
        discussion: """
            Examples:
              culvert inbox set my-app --path '/hooks/*'
              culvert inbox list my-app
              culvert inbox deliver my-app --dead
            """,
        subcommands: [
            Set.self, Show.self, List.self, Message.self, Deliver.self, Skip.self, Delete.self,
        ]
    )

    /// `culvert inbox show TUNNEL`.
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Describe the inbox of a tunnel.",
            usage: "culvert inbox show <tunnel> [<options>]",
            discussion: """
                Examples:
                  culvert inbox show my-app
                  culvert inbox show my-app --json
                """
        )

        @OptionGroup var named: NamedTunnel

        @OptionGroup var options: AnswerOptions

        func run() async throws {
            try await self.reportingFailures(as: self.options.control.logFormat) {
                let id = self.named.tunnel
                let inbox = try await self.options.control.perform {
                    client async throws(EdgeFailure) in try await client.inbox(of: id)
                }
                try self.options.write(inbox, as: InboxTable.details(inbox))
            }
        }
    }

    /// `culvert inbox list TUNNEL`.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List messages of an inbox, the newest first.",
            usage: "culvert inbox list <tunnel> [--state <state>] [<options>]",
            discussion: """
                A message is dead when the last attempt to deliver it failed, at once when the app answers 410, when \
                nobody took it in time, when it was skipped, or when the edge no longer has the key to read it.

                Examples:
                  culvert inbox list my-app
                  culvert inbox list my-app --state dead --json
                """
        )

        @OptionGroup var named: NamedTunnel

        @Option(help: ArgumentHelp("Those alone that are waiting, delivered or dead.", valueName: "state"))
        var state: InboxMessageState?

        @Option(help: ArgumentHelp("The most messages, up to 200.", valueName: "number"))
        var limit = 50

        @OptionGroup var options: AnswerOptions

        func validate() throws {
            guard (1...200).contains(self.limit) else { throw ValidationError("--limit is a number from 1 to 200.") }
        }

        func run() async throws {
            try await self.reportingFailures(as: self.options.control.logFormat) {
                let (id, state, limit) = (self.named.tunnel, self.state, self.limit)
                let list = try await self.options.control.perform {
                    client async throws(EdgeFailure) in try await client.messages(of: id, state: state, limit: limit)
                }
                try self.options.write(list, as: InboxTable.list(list.messages))
            }
        }
    }

    /// `culvert inbox message TUNNEL ID`.
    struct Message: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print a message: its head, and its body as it came.",
            usage: "culvert inbox message <tunnel> <message> [--body | --json] [<options>]",
            discussion: """
                Examples:
                  culvert inbox message my-app msg_2abcdefghijklmnopqrs
                  culvert inbox message my-app msg_2abcdefghijklmnopqrs --body > body
                """
        )

        @OptionGroup var named: NamedTunnel

        @Argument(help: "The message's id, as culvert inbox list shows it.")
        var message: String

        @Flag(help: "Print the body alone, byte for byte.")
        var body = false

        @OptionGroup var options: AnswerOptions

        func validate() throws {
            guard !self.body || !self.options.json else {
                throw ValidationError("--body and --json are two ways to print a message.")
            }
        }

        func run() async throws {
            try await self.reportingFailures(as: self.options.control.logFormat) {
                let (id, message) = (self.named.tunnel, self.message)
                let content = try await self.options.control.perform {
                    client async throws(EdgeFailure) in try await client.message(message, of: id)
                }
                if self.options.json { return try StandardStream.output.writeLine(JSONText.of(content)) }
                let bytes = Data(base64Encoded: content.bodyBase64) ?? Data()
                if self.body { return FileHandle.standardOutput.write(bytes) }
                StandardStream.output.writeLine(InboxTable.content(content, body: bytes))
            }
        }
    }

    /// `culvert inbox deliver TUNNEL ID`.
    struct Deliver: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Deliver a message, once more if it was; or all that are dead.",
            usage: "culvert inbox deliver <tunnel> (<message> | --dead) [<options>]",
            discussion: """
                Examples:
                  culvert inbox deliver my-app msg_2abcdefghijklmnopqrs
                  culvert inbox deliver my-app --dead
                """
        )

        @OptionGroup var named: NamedTunnel

        @Argument(help: "The message's id, as culvert inbox list shows it.")
        var message: String?

        @Flag(help: "Deliver the messages that are dead, a thousand at most.")
        var dead = false

        @OptionGroup var options: AnswerOptions

        func validate() throws {
            guard (self.message == nil) == self.dead else { throw ValidationError("Name a message, or give --dead.") }
        }

        func run() async throws {
            try await self.reportingFailures(as: self.options.control.logFormat) {
                let (id, message) = (self.named.tunnel, self.message)
                let change = try await self.options.control.change {
                    client async throws(EdgeFailure) -> InboxChange in
                    guard let message else { return try await client.deliverDead(of: id) }
                    return try await client.deliver(message, of: id)
                }
                let what = change.changed == 1 ? "message goes" : "messages go"
                try self.options.write(change, as: "\(change.changed) \(what) out now, or once a connector is there.")
            }
        }
    }

    /// `culvert inbox skip TUNNEL ID`.
    struct Skip: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give up a message that waits, so that it holds up no other.",
            usage: "culvert inbox skip <tunnel> <message> [<options>]",
            discussion: """
                Examples:
                  culvert inbox skip my-app msg_2abcdefghijklmnopqrs
                """
        )

        @OptionGroup var named: NamedTunnel

        @Argument(help: "The message's id, as culvert inbox list shows it.")
        var message: String

        @OptionGroup var options: AnswerOptions

        func run() async throws {
            try await self.reportingFailures(as: self.options.control.logFormat) {
                let (id, message) = (self.named.tunnel, self.message)
                let change = try await self.options.control.change {
                    client async throws(EdgeFailure) in try await client.skip(message, of: id)
                }
                try self.options.write(
                    change,
                    as: change.changed == 0 ? "\(message) does not wait: nothing was skipped." : "Skipped \(message)."
                )
            }
        }
    }

    /// `culvert inbox delete TUNNEL [ID]`.
    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete a message; or with --all the inbox, with every message in it.",
            usage: "culvert inbox delete <tunnel> (<message> | --all [--yes]) [<options>]",
            discussion: """
                Where webhooks wait in it, or could not be delivered, --all says how many and asks; who can't be asked \
                needs --yes.

                Examples:
                  culvert inbox delete my-app msg_2abcdefghijklmnopqrs
                  culvert inbox delete my-app --all
                """
        )

        @OptionGroup var named: NamedTunnel

        @Argument(help: "The message's id, as culvert inbox list shows it.")
        var message: String?

        @Flag(help: "Delete the inbox, with every message in it.")
        var all = false

        @Flag(name: [.short, .long], help: "Delete the webhooks that wait in it without a question.")
        var yes = false

        @OptionGroup var control: ControlOptions

        func validate() throws {
            guard (self.message == nil) == self.all else { throw ValidationError("Name a message, or give --all.") }
        }

        func run() async throws {
            try await self.reportingFailures(as: self.control.logFormat) {
                let (id, message) = (self.named.tunnel, self.message)
                if self.all, !self.yes { try await DeletionQuestion.settle(of: id, deleting: .inbox, self.control) }
                try await self.control.change {
                    client async throws(EdgeFailure) in
                    guard let message else { return try await client.deleteInbox(of: id) }
                    try await client.deleteMessage(message, of: id)
                }
                StandardStream.output.writeLine(
                    ShownText.stripped("Deleted \(message ?? "the inbox of \(id), with every message in it").")
                )
            }
        }
    }
}

extension InboxMessageState: ExpressibleByArgument {}
