// SPDX-License-Identifier: Apache-2.0

extension Unicode.Scalar {
    /// How many columns of a terminal the scalar takes: none, one or two (Unicode Standard Annex 11).
    var displayWidth: Int {
        if self.value < 0x300 { return self.value < 0x20 || (0x7F..<0xA0).contains(self.value) ? 0 : 1 }
        switch self.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .control, .lineSeparator, .paragraphSeparator: return 0
        default: break
        }
        return self.properties.isEmojiPresentation || Self.wide.contains { $0.contains(self.value) } ? 2 : 1
    }

    /// Whether the scalar can be shown without moving anything else on the line.
    var isPrintable: Bool {
        switch self.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse: false
        default: true
        }
    }

    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
        0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6,
        0x1B000...0x1B2FF, 0x1F300...0x1F64F, 0x1F680...0x1F6FF, 0x1F900...0x1FAFF, 0x20000...0x3FFFD,
    ]
}

extension Character {
    /// How many columns of a terminal the character takes.
    var displayWidth: Int {
        // What is joined to a scalar is drawn over it.
        self.unicodeScalars.map(\.displayWidth).max() ?? 0
    }
}

extension StringProtocol {
    /// How many columns of a terminal the text takes.
    var displayWidth: Int {
        self.reduce(0) { $0 + $1.displayWidth }
    }

    /// The longest beginning that fits into so many columns.
    func prefix(columns: Int) -> SubSequence {
        var left = columns
        return self.prefix { character in
            left -= character.displayWidth
            return left >= 0
        }
    }

    /// The text without what moves the cursor or turns the direction of what follows.
    var printable: String {
        guard self.unicodeScalars.contains(where: { !$0.isPrintable }) else { return String(self) }
        return String(String.UnicodeScalarView(self.unicodeScalars.filter(\.isPrintable)))
    }
}
