// SPDX-License-Identifier: Apache-2.0

/// How a piece of text looks on a terminal that shows colours.
enum TextStyle: Equatable, Sendable {
    case plain
    case strong
    case faint
    case good
    case notable
    /// Yellow, which can hardly be read on white: for signs and numbers, never for a sentence.
    case warning
    case bad

    /// The parameter of the escape sequence that turns it on (ECMA-48, SGR).
    fileprivate var parameter: String? {
        switch self {
        case .plain: nil
        case .strong: "1"
        case .faint: "2"
        case .good: "32"
        case .notable: "36"
        case .warning: "33"
        case .bad: "31"
        }
    }
}

/// One line of a screen: pieces of text with their styles.
struct StyledLine: Equatable, Sendable {
    /// A text in one style.
    struct Piece: Equatable, Sendable {
        var text: String
        var style: TextStyle
    }

    private(set) var pieces: [Piece] = []
    private(set) var width = 0

    init() {}

    init(_ text: String, _ style: TextStyle = .plain) {
        self.append(text, style)
    }

    /// Adds a text at the end, without what can't be shown.
    mutating func append(_ text: String, _ style: TextStyle = .plain) {
        let text = text.printable
        guard !text.isEmpty else { return }
        self.pieces.append(Piece(text: text, style: style))
        self.width += text.displayWidth
    }

    /// Adds another line at the end.
    mutating func append(_ line: StyledLine) {
        for piece in line.pieces { self.append(piece.text, piece.style) }
    }

    /// Adds spaces up to a column.
    mutating func pad(to column: Int) {
        self.append(String(repeating: " ", count: max(0, column - self.width)))
    }

    /// The line, shortened to a number of columns.
    func fitted(to columns: Int, ellipsis: String) -> StyledLine {
        guard self.width > columns else { return self }
        guard columns > ellipsis.displayWidth else {
            return StyledLine(String(ellipsis.prefix(columns: max(0, columns))))
        }
        var line = StyledLine()
        let room = columns - ellipsis.displayWidth
        for piece in self.pieces {
            let text = piece.text.prefix(columns: room - line.width)
            line.append(String(text), piece.style)
            guard text.endIndex == piece.text.endIndex else { break }
        }
        line.append(ellipsis, .faint)
        return line
    }

    /// The text alone.
    var text: String { self.pieces.map(\.text).joined() }

    /// The text with escape sequences for its styles.
    var styledText: String {
        self.pieces.map { piece in
            piece.style.parameter.map { "\u{1B}[\($0)m\(piece.text)\u{1B}[0m" } ?? piece.text
        }.joined()
    }
}
