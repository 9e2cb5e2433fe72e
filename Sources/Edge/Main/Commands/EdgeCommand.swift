// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Program

/// `culvert-edge`: the server.
@main
struct EdgeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "culvert-edge",
        abstract: "Serves tunnels: visitors on one side, connectors on the other.",
        discussion: """
            Examples:
              culvert-edge --dev
              culvert-edge serve --config edge.yaml
              culvert-edge config check --config edge.yaml
              culvert-edge credentials new --name alice
            """,
        version: ProgramVersion.description,
        subcommands: [
            ServeCommand.self, HealthCommand.self, ConfigCommand.self, CredentialsCommand.self, ManualCommand.self,
        ],
        defaultSubcommand: ServeCommand.self
    )

    /// What a wrong command ought to have been; `nil` if there is none.
    static func correction(of words: [String]) -> String? {
        // What begins with a flag is for `serve`, and needs no look at all commands.
        guard words.first.map({ !$0.hasPrefix("-") }) == true else { return nil }
        if let other = self.otherProgram(words[0]) { return other }
        guard let document = try? CommandDocument(dumpedHelp: self._dumpHelp()) else { return nil }
        // The other commands take settings, of which the reader of settings says what is wrong.
        return document.correction(of: words) ?? (words[0] == "credentials" ? document.flagCorrection(of: words) : nil)
    }

    /// What is said of a word that is for the connector, or of a file without its flag; `nil` if it is neither.
    private static func otherProgram(_ word: String) -> String? {
        if word.hasSuffix(".yaml") || word.hasSuffix(".yml") {
            return "A file of settings is named by --config: culvert-edge --config \(ShownText.stripped(word))."
        }
        guard self.wordsOfConnector.contains(word) else { return nil }
        return "There is no command “\(word)” of the server. The program beside a local server has it: culvert \(word)."
    }

    private static let wordsOfConnector = [
        "http", "tcp", "tls", "access", "connect", "start", "tunnels", "inbox", "requests", "login", "logout",
        "diagnose",
        "service", "completions",
    ]

    /// Runs the command that the arguments name.
    static func main() async {
        OpenFiles.prepare()
        let words = Array(CommandLine.arguments.dropFirst())
        if let correction = self.correction(of: words) {
            self.exit(withError: CommandFailure.exit(.usage, correction))
        }
        do {
            var command = try self.parseAsRoot(words)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            self.end(with: error)
        }
    }

    /// Ends the program; what the parser says bears the name that all other failures bear.
    private static func end(with error: any Error) -> Never {
        guard let report = self.report(of: error) else { self.exit(withError: error) }
        LogSink.standardError.write(report + "\n")
        self.exit(withError: ExitCode(self.exitCode(for: error).rawValue))
    }

    /// What is written of an error; `nil` where that is the parser's own to write, as help is.
    static func report(of error: any Error) -> String? {
        ParserMessage.report(self.fullMessage(for: error), of: "culvert-edge")
    }
}
