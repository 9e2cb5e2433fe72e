// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@Suite("The comparison with other tunnels")
struct ComparisonTests {
    /// The rows of a table that begins after a line, each a list of cells; the line of dashes is left out.
    private static func table(after heading: String, in text: String) throws -> [[String]] {
        let lines = text.components(separatedBy: "\n")
        let start = try #require(lines.firstIndex { $0.hasPrefix(heading) }, "\(heading)")
        let rows = lines[start...].drop { !$0.hasPrefix("|") }.prefix { $0.hasPrefix("|") }
        return rows.filter { !$0.hasPrefix("|---") }.map { row in
            row.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast()
                .map { $0.trimmingCharacters(in: .whitespaces) }
        }
    }

    private static func text(of path: String) throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }

    @Test("Each cell has its source, and each source that is named is there")
    func sources() throws {
        let page = try Self.text(of: "docs/comparison.md")
        let claims = try Self.table(after: "# Beside", in: page)
        let sources = try Self.table(after: "## Sources", in: page)
        #expect(claims.count > 10)
        #expect(claims.map(\.count) == sources.map(\.count))
        #expect(claims.map(\.first) == sources.map(\.first))
        #expect(claims.first == sources.first)
        for row in sources.dropFirst() {
            for (program, cell) in zip(sources[0], row).dropFirst() {
                let link = try #require(cell.firstMatch(of: #/\[([^\]]+)\](\(([^)#]*).*\))?/#), "\(program): \(row[0])")
                if let file = link.output.3 {
                    let path = "docs/\(file)"
                    #expect(throws: Never.self, "\(path)") { _ = try Self.text(of: path) }
                } else {
                    #expect(page.contains("\n[\(link.output.1)]: https://"), "\(link.output.1)")
                }
            }
        }
    }

    @Test("The table of the README says what the page says")
    func shortTable() throws {
        let claims = try Self.table(after: "# Beside", in: try Self.text(of: "docs/comparison.md"))
        let short = try Self.table(after: "## Beside", in: try Self.text(of: "README.md"))
        #expect(short.first == claims.first)
        for row in short.dropFirst() {
            let whole = try #require(claims.first { $0[0] == row[0] }, "\(row[0])")
            for (said, known) in zip(row, whole).dropFirst() {
                // The page has more words, and marks of notes.
                let beginning = known.prefix { $0 != ":" && $0 != "," && !"¹²".contains($0) }
                #expect(beginning.trimmingCharacters(in: .whitespaces) == said, "\(row[0]): \(said), \(known)")
            }
        }
    }
}
