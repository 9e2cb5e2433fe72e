// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation

/// A command with its options and subcommands, as the argument parser describes it.
///
/// The parser's own types for this are not for other packages; the JSON is, with its number of a version.
struct CommandDocument: Decodable {
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
        var allValues: [String]?
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

    /// Reads what the parser says of a command.
    ///
    /// - Throws: ``CommandFailure`` if the parser has another idea of the JSON than this program.
    init(dumpedHelp json: String) throws(CommandFailure) {
        guard let dump = try? JSONDecoder().decode(Dump.self, from: Data(json.utf8)), dump.serializationVersion == 0
        else { throw CommandFailure(.bug, "The description of the commands can't be read: this is a mistake of ours.") }
        self = dump.command
    }
}
