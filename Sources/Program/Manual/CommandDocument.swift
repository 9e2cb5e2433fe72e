// SPDX-License-Identifier: Apache-2.0

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A command with its options and subcommands, as the argument parser describes it.
///
/// The parser's own types for this are not for other packages; the JSON is, with its number of a version.
package struct CommandDocument: Decodable, Sendable {
    /// An argument, an option or a flag.
    struct Argument: Decodable, Sendable {
        /// A spelling of an option.
        struct Name: Decodable, Sendable {
            var kind: String
            var name: String
        }

        var kind: String
        var shouldDisplay: Bool
        var isOptional: Bool
        var names: [Name]?
        var valueName: String?
        var defaultValue: String?
        var abstract: String?
    }

    var commandName: String
    var shouldDisplay: Bool
    var abstract: String?
    var discussion: String?
    var subcommands: [CommandDocument]?
    var arguments: [Argument]?

    private struct Dump: Decodable {
        var serializationVersion: Int
        var command: CommandDocument
    }

    /// The parser has another idea of its JSON than this type.
    package struct UnknownFormat: Error, CustomStringConvertible {
        package var description: String { "the argument parser describes its commands in a way that is not known" }
    }

    /// Reads what the parser says of a command.
    ///
    /// - Parameter json: What `_dumpHelp` of the command gives.
    /// - Throws: ``UnknownFormat``.
    package init(dumpedHelp json: String) throws(UnknownFormat) {
        guard let dump = try? JSONDecoder().decode(Dump.self, from: Data(json.utf8)), dump.serializationVersion == 0
        else { throw UnknownFormat() }
        self = dump.command
    }
}

extension CommandDocument {
    /// The names of the commands below this one.
    package var commandNames: [String] {
        (self.subcommands ?? []).map(\.commandName)
    }

    /// The first word that stands where a command should and names none.
    ///
    /// - Parameter words: The words after the name of the program.
    /// - Returns: The commands before it, the word, and the commands that there are in its place.
    package func unknownCommand(in words: [String]) -> (before: [String], word: String, known: [String])? {
        var (command, before) = (self, [String]())
        // `help` is followed by the command that it is about.
        for word in words.first == "help" ? words.dropFirst() : words[...] {
            guard let commands = command.subcommands, !commands.isEmpty, !word.hasPrefix("-"), word != "help" else {
                return nil
            }
            guard let next = commands.first(where: { $0.commandName == word }) else {
                let known = commands.filter(\.shouldDisplay).map(\.commandName)
                return (before, word, known)
            }
            (command, before) = (next, before + [word])
        }
        return nil
    }

    /// That there is no such command, and what was probably meant; `nil` if the words begin with a command.
    ///
    /// - Parameter words: The words after the name of the program.
    package func correction(of words: [String]) -> String? {
        guard let unknown = self.unknownCommand(in: words) else { return nil }
        let program = ([self.commandName] + unknown.before).joined(separator: " ")
        let wrong = "There is no command “\((unknown.before + [unknown.word]).joined(separator: " "))”."
        guard let near = NearestWord.to(unknown.word, among: unknown.known) ?? Self.synonym(unknown) else {
            return "\(wrong) \(program) --help lists those that there are."
        }
        return "\(wrong) Did you mean “\(program) \(near)”?"
    }

    /// That a command has no such option, and which one was probably meant; `nil` if it has them all.
    ///
    /// - Parameter words: The words after the name of the program.
    package func flagCorrection(of words: [String]) -> String? {
        let known = self.flags(after: words)
        let hidden = self.flags(after: words, withHidden: true)
        let typed = words.prefix { $0 != "--" }.filter { $0.hasPrefix("--") }.map { String($0.prefix { $0 != "=" }) }
        guard let wrong = typed.first(where: { $0 != "--help" && $0 != "--version" && !hidden.contains($0) }) else {
            return nil
        }
        let near = NearestWord.toFlag(wrong, among: known).map { " Did you mean \($0)?" }
        return "There is no option \(wrong) here." + (near ?? " --help lists those that there are.")
    }

    /// A command that does what one of another name does elsewhere.
    private static func synonym(_ unknown: (before: [String], word: String, known: [String])) -> String? {
        let groups = [
            ["list", "ls", "all"], ["delete", "rm", "remove", "del", "revoke"],
            ["create", "new", "add", "make", "set", "install"], ["status", "show", "info", "get", "describe"],
            ["check", "validate", "test", "lint", "config"], ["remove", "uninstall"], ["rotate", "renew", "replace"],
            ["deliver", "redeliver", "retry", "replay"], ["serve", "run", "start"],
        ]
        return groups.lazy.filter { $0.contains(unknown.word.lowercased()) }.flatMap { $0 }
            .first { unknown.known.contains($0) }
    }

    /// The flags of the command that some words name, with their hyphens.
    ///
    /// - Parameters:
    ///   - words: The words after the name of the program.
    ///   - withHidden: Whether those count that no help shows.
    package func flags(after words: [String], withHidden: Bool = false) -> [String] {
        var command = self
        for word in words {
            guard let next = command.subcommands?.first(where: { $0.commandName == word }) else { break }
            command = next
        }
        let arguments = (command.arguments ?? []).filter { withHidden || $0.shouldDisplay }
        let names = arguments.flatMap { $0.names ?? [] }.filter { $0.kind == "long" }
        return names.map { "--\($0.name)" }
    }
}
