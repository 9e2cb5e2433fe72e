// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import Logging
import Program

extension CulvertCommand {
    /// Reads the arguments, and runs the command that they name.
    ///
    /// - Parameter words: The arguments without the program's name.
    static func run(_ words: [String]) async {
        let typed = TypedCommand(words: words)
        // The parser shows the help of the program in the place of that of a command that there is not.
        if let wrong = self.wrongHelp(typed) { self.end(typed, saying: wrong) }
        if let second = typed.secondName { self.end(typed, saying: second) }
        let command: any ParsableCommand
        do {
            command = try self.parseAsRoot(typed.understood)
        } catch {
            self.refuse(typed, error)
        }
        do {
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                var command = command
                try command.run()
            }
        } catch {
            self.exit(withError: error)
        }
    }

    /// Ends the program because its arguments make no sense, and says what would.
    private static func refuse(_ typed: TypedCommand, _ error: any Error) -> Never {
        guard self.exitCode(for: error).rawValue == CommandStatus.usage.rawValue else { self.exit(withError: error) }
        if let correction = self.correction(of: typed) { self.end(typed, saying: correction) }
        if typed.wantsJSON { self.end(typed, saying: self.message(for: error)) }
        StandardStream.error.write(self.report(of: error) + "\n")
        self.exit(withError: ExitCode(CommandStatus.usage.rawValue))
    }

    /// Ends the program with a sentence about its arguments.
    private static func end(_ typed: TypedCommand, saying sentence: String) -> Never {
        let sentence = ShownText.stripped(sentence)
        if typed.wantsJSON {
            let event = StatusEvent.stopped(exitCode: CommandStatus.usage.rawValue, message: sentence)
            Logger(label: "culvert") { _ in StandardErrorLog(format: .json, level: .error) }.report(event)
        } else {
            let columns = TerminalDevice(.error).columns
            StandardStream.error.write(sentence.hanging(from: "culvert: ", columns: columns) + "\n")
        }
        self.exit(withError: ExitCode(CommandStatus.usage.rawValue))
    }

    /// What is said to who asks for the help of a command that there is not; `nil` if there is one, or no help is asked for.
    static func wrongHelp(_ typed: TypedCommand) -> String? {
        var words = typed.understood
        if words.first == "help" {
            words.removeFirst()
        } else {
            guard words.prefix(while: { $0 != "--" }).contains(where: { ["-h", "--help"].contains($0) }) else {
                return nil
            }
        }
        guard self.document?.unknownCommand(in: words) != nil else { return nil }
        return self.correction(of: TypedCommand(words: words))
    }

    /// What the parser says, under the name that all other failures bear.
    static func report(of error: any Error) -> String {
        let text = self.fullMessage(for: error)
        return ParserMessage.report(text, of: "culvert") ?? text
    }

    /// All commands with their options, which take the parser long to tell.
    private static let document = try? CommandDocument(dumpedHelp: Self._dumpHelp())

    /// What the arguments ought to have been; `nil` if the parser's own message is the best there is.
    static func correction(of typed: TypedCommand) -> String? {
        guard let document = self.document else { return nil }
        // Of the first word it is known what people of other programs mean by it.
        if let unknown = document.unknownCommand(in: typed.understood), !unknown.before.isEmpty {
            if unknown.before == ["config"], let advice = FamiliarCommand.advice(for: [unknown.word]) {
                return "There is no command “config \(unknown.word)”. \(advice)"
            }
            return document.correction(of: typed.understood)
        }
        return typed.correction(
            commands: document.commandNames,
            flags: document.flags(after: typed.understood),
            flagsOfHTTP: document.flags(after: ["http"])
        )
    }
}
