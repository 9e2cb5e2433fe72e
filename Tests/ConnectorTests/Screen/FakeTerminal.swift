// SPDX-License-Identifier: Apache-2.0

@testable import Connector

/// A terminal as the panel sees it: a grid, a cursor, and the few sequences that a panel uses.
///
/// It wraps as real ones do: the cursor stays on the last column until another character comes.
struct FakeTerminal {
    let size: TerminalSize
    private(set) var scrolledOff: [String] = []
    private(set) var isCursorShown = true
    /// Sequences that a panel has no business to send.
    private(set) var unknown: [String] = []
    private var grid: [[Character]]
    private var row = 0
    private var column = 0
    private var isWrapPending = false

    init(columns: Int, rows: Int) {
        self.size = TerminalSize(columns: columns, rows: rows)
        self.grid = Array(repeating: Array(repeating: " ", count: columns), count: rows)
    }

    /// What is seen, without spaces at the ends of lines and without empty lines at the end.
    var lines: [String] {
        var lines = self.grid.map(Self.text)
        while lines.last == "" { lines.removeLast() }
        return lines
    }

    mutating func write(_ text: String) {
        var rest = Substring(text)
        while let character = rest.popFirst() {
            switch character {
            case "\u{1B}": self.sequence(&rest)
            case "\r\n":
                self.column = 0
                self.lineFeed()
            case "\r":
                self.column = 0
                self.isWrapPending = false
            case "\n": self.lineFeed()
            default: self.put(character)
            }
        }
    }

    private mutating func put(_ character: Character) {
        if self.isWrapPending {
            self.column = 0
            self.lineFeed()
        }
        self.grid[self.row][self.column] = character
        if self.column == self.size.columns - 1 { self.isWrapPending = true } else { self.column += 1 }
    }

    private mutating func lineFeed() {
        self.isWrapPending = false
        guard self.row == self.size.rows - 1 else {
            self.row += 1
            return
        }
        self.scrolledOff.append(Self.text(of: self.grid.removeFirst()))
        self.grid.append(Array(repeating: " ", count: self.size.columns))
    }

    private mutating func sequence(_ rest: inout Substring) {
        guard rest.popFirst() == "[", let end = rest.firstIndex(where: { $0.isLetter }) else { return }
        let parameter = String(rest[..<end])
        let final = rest[end]
        rest = rest[rest.index(after: end)...]
        switch (parameter, final) {
        case ("?25", "l"): self.isCursorShown = false
        case ("?25", "h"): self.isCursorShown = true
        case (_, "m"): break
        case (_, "A"):
            self.row = max(0, self.row - (Int(parameter) ?? 1))
            self.isWrapPending = false
        case ("", "K"): self.erase(row: self.row, from: self.column)
        case ("", "J"):
            self.erase(row: self.row, from: self.column)
            for row in (self.row + 1)..<max(self.size.rows, self.row + 1) { self.erase(row: row, from: 0) }
        default: self.unknown.append("\(parameter)\(final)")
        }
    }

    private static func text(of row: [Character]) -> String {
        var row = row
        while row.last == " " { row.removeLast() }
        return String(row)
    }

    private mutating func erase(row: Int, from column: Int) {
        for column in column..<self.size.columns { self.grid[row][column] = " " }
    }
}
