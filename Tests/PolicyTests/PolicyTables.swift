// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ControlAPI

@testable import Connector

/// The tables of a policy's members in the documentation, made of its schema.
struct PolicyTables {
    /// What may be described.
    let schema: PolicySchema

    /// A table, and the page that holds it between two comments.
    struct Table {
        /// The page, from the top of the repository.
        var page: String
        /// The name in the comments.
        var name: String
        /// The table itself, in Markdown.
        var text: String

        private var start: String { "<!-- \(self.name), made from the schema: see CONTRIBUTING.md -->\n" }
        private var end: String { "<!-- end of \(self.name) -->\n" }

        /// The page with this table between its comments; `nil` if it does not have them.
        func inserted(into page: String) -> String? {
            guard let start = page.firstRange(of: self.start)?.upperBound,
                let end = page[start...].firstRange(of: self.end)?.lowerBound
            else { return nil }
            return page[..<start] + "\n\(self.text)\n" + page[end...]
        }
    }

    /// The members, for people who call the control API.
    var members: Table {
        var lines = ["| member | kinds | value | default | meaning |", "|---|---|---|---|---|"]
        for member in self.schema.members {
            lines.append(
                Self.row([
                    "`\(member.name)`", member.kindsCell, member.kind.cell, member.fallback.cell, member.documentation,
                ])
            )
        }
        return Table(page: "docs/api.md", name: "members of the policy", text: lines.joined(separator: "\n") + "\n")
    }

    /// The settings of a file and the flags, for people who use the connector.
    var settings: Table {
        var lines = ["| in a file | flags | kinds | meaning |", "|---|---|---|---|"]
        for member in self.schema.members {
            let flags = PolicyFlag.all(of: member).map {
                "`--\($0.name) <\($0.help.valueName ?? "value")>`"
            }
            lines.append(
                Self.row([
                    "`\(member.fileName)`", flags.joined(separator: ", "), member.kindsCell, member.documentation,
                ])
            )
        }
        return Table(
            page: "docs/connector.md",
            name: "settings of the policy",
            text: lines.joined(separator: "\n") + "\n"
        )
    }

    private static func row(_ cells: [String]) -> String {
        "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |"
    }
}

extension PolicyKind {
    /// What a value is, for a table.
    fileprivate var cell: String {
        switch self {
        case .choice(let words): words.map { "`\($0)`" }.joined(separator: " or ")
        case .number(let range), .seconds(let range): "\(range.lowerBound) to \(range.upperBound)"
        case .toggle: "`true` or `false`"
        case .text: "text"
        case .texts(let syntax, let limit): "at most \(limit) texts, each \(syntax.requirement)"
        case .credentials(let limit): "at most \(limit) of `{\"username\": …, \"password\": …}`"
        }
    }
}

extension PolicyMember.Default {
    /// The default, for a table.
    fileprivate var cell: String {
        switch self {
        case .value(.text(let text)): "`\(text)`"
        case .value(.number(let number)): "\(number)"
        case .value(.toggle(let isOn)): "`\(isOn)`"
        case .value(.texts), .value(.credentials): "set"
        case .described(let words): words
        }
    }
}

extension PolicyMember {
    /// The kinds of tunnels that it has a meaning for.
    fileprivate var kindsCell: String {
        TunnelKind.allCases.filter { self.kinds.contains($0) }.map { "`\($0.rawValue)`" }.joined(separator: ", ")
    }
}
