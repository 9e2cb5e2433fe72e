// SPDX-License-Identifier: Apache-2.0

/// The man page of a program, as the source of man(7).
///
/// The argument parser's own `generate-manual` is no substitute: it drops whatever is not ASCII, which makes wrong
/// examples of `TOKEN=…`, and its exit statuses are always 0 and “>0”.
package struct ManualPage {
    private let commands: CommandDocument
    private let version: String
    private let exitStatuses: [(code: Int32, meaning: String)]

    /// Makes the page of a program.
    ///
    /// - Parameters:
    ///   - commands: The program's commands.
    ///   - version: The program's version.
    ///   - exitStatuses: The codes that it exits with, and what each tells.
    package init(commands: CommandDocument, version: String, exitStatuses: [(code: Int32, meaning: String)]) {
        self.commands = commands
        self.version = version
        self.exitStatuses = exitStatuses
    }

    /// The whole page.
    package var source: String {
        let name = self.commands.commandName
        var page = Roff()
        page.request("TH", [name.uppercased(), "1", "", "Culvert \(self.version)", "Culvert"])
        // Words stay whole, since a hyphen in an option would be copied with it; and lines end where words end.
        page.request("nh")
        page.request("ad", ["l"])
        page.request("SH", ["NAME"])
        page.line("\(name) \u{2D} \(self.commands.abstract ?? "")")
        page.request("SH", ["SYNOPSIS"])
        page.bold(name)
        page.line("command [arguments] [options]")
        page.request("SH", ["DESCRIPTION"])
        page.prose(self.commands.discussion ?? "")
        page.request("SH", ["COMMANDS"])
        for command in self.visible(self.commands) { self.describe(command, after: name, in: &page) }
        page.request("SH", ["EXIT STATUS"])
        for status in self.exitStatuses {
            page.request("TP")
            page.bold("\(status.code)")
            page.line(status.meaning)
        }
        return page.source
    }

    private func visible(_ command: CommandDocument) -> [CommandDocument] {
        (command.subcommands ?? []).filter { $0.shouldDisplay && $0.commandName != "help" }
    }

    private func describe(_ command: CommandDocument, after parent: String, in page: inout Roff) {
        let name = "\(parent) \(command.commandName)"
        let arguments = (command.arguments ?? []).filter { argument in
            argument.shouldDisplay && argument.names?.contains { $0.name == "help" || $0.name == "version" } != true
        }
        let subcommands = self.visible(command)
        page.request("SS", [self.usage(name, arguments, hasSubcommands: !subcommands.isEmpty)])
        if let abstract = command.abstract { page.line(abstract) }
        if let discussion = command.discussion {
            page.request("PP")
            page.prose(discussion)
        }
        for argument in arguments {
            page.request("TP")
            page.bold(self.heading(argument))
            page.line(self.explanation(argument))
        }
        for subcommand in subcommands { self.describe(subcommand, after: name, in: &page) }
    }

    private func usage(_ name: String, _ arguments: [CommandDocument.Argument], hasSubcommands: Bool) -> String {
        var parts = [name]
        if hasSubcommands { parts.append("command") }
        for argument in arguments where !argument.isOptional { parts.append(self.heading(argument)) }
        if arguments.contains(where: \.isOptional) { parts.append("[options]") }
        return parts.joined(separator: " ")
    }

    private func heading(_ argument: CommandDocument.Argument) -> String {
        let value = "<\(argument.valueName ?? "value")>"
        guard argument.kind != "positional" else { return value }
        let names = (argument.names ?? []).map { $0.kind == "long" ? "--\($0.name)" : "-\($0.name)" }
        return names.joined(separator: ", ") + (argument.kind == "flag" ? "" : " \(value)")
    }

    private func explanation(_ argument: CommandDocument.Argument) -> String {
        var text = argument.abstract ?? ""
        if let fallback = argument.defaultValue { text += " Default: \(fallback)." }
        return text
    }
}
