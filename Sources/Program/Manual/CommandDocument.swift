// SPDX-License-Identifier: Apache-2.0

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A command with its options and subcommands, as the argument parser describes it.
///
/// The parser's own types for this are not for other packages; the JSON is, with its number of a version.
package struct CommandDocument: Decodable {
    /// An argument, an option or a flag.
    struct Argument: Decodable {
        /// A spelling of an option.
        struct Name: Decodable {
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

    /// The flags of the command that some words name, with their hyphens.
    ///
    /// - Parameter words: The words after the name of the program.
    package func flags(after words: [String]) -> [String] {
        var command = self
        for word in words {
            guard let next = command.subcommands?.first(where: { $0.commandName == word }) else { break }
            command = next
        }
        return (command.arguments ?? []).filter(\.shouldDisplay).flatMap { $0.names ?? [] }
            .filter { $0.kind == "long" }.map { "--\($0.name)" }
    }
}
