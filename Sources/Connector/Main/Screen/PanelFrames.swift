// SPDX-License-Identifier: Apache-2.0

/// Turns successive pictures of a panel into what has to be written to the terminal.
///
/// The panel begins where the cursor was, on the normal screen, and leaves the cursor on the line below. Each frame
/// moves the cursor up and overwrites the previous frame line by line; since nothing is cleared first, nothing
/// flickers.
struct PanelFrames: Sendable {
    private let isColoured: Bool
    private var shown: [StyledLine] = []
    private var size: TerminalSize?

    init(isColoured: Bool) {
        self.isColoured = isColoured
    }

    private static let escape = "\u{1B}["

    /// The text that shows the lines; `nil` if they are shown already.
    mutating func frame(_ lines: [StyledLine], size: TerminalSize) -> String? {
        guard lines != self.shown || size != self.size else { return nil }
        // Another program may have shown the cursor between two frames.
        var text = "\(Self.escape)?25l" + self.wayBack(size: size)
        for line in lines {
            text += self.isColoured ? line.styledText : line.text
            // Right of a full line the cursor still stands on the last character, which must not be erased.
            if line.width == 0 || !line.width.isMultiple(of: size.columns) { text += "\(Self.escape)K" }
            text += "\r\n"
        }
        text += "\(Self.escape)J"
        self.shown = lines
        self.size = size
        return text
    }

    /// The text that erases the panel, so that other text can be written there.
    mutating func removal(size: TerminalSize) -> String {
        let text = self.wayBack(size: size) + "\(Self.escape)J"
        self.forget()
        return text
    }

    /// Keeps the panel on the screen; the next frame begins at the cursor.
    mutating func forget() {
        self.shown = []
        self.size = nil
    }

    /// The text that shows the cursor again.
    static let showCursor = "\(Self.escape)?25h"

    /// The text that moves the cursor to the panel's first line.
    ///
    /// A terminal that has become narrower has wrapped the lines, so that there are more rows.
    private func wayBack(size: TerminalSize) -> String {
        let rows = min(StatusScreen.rows(self.shown, width: size.columns), size.rows - 1)
        return !self.shown.isEmpty && rows > 0 ? "\r\(Self.escape)\(rows)A" : "\r"
    }
}
