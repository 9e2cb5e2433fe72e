// SPDX-License-Identifier: Apache-2.0

/// Turns successive pictures of a panel into what has to be written to the terminal.
///
/// The panel stands where the cursor was when it began, in the ordinary screen, and the cursor waits on the line below.
/// Each frame goes back up and overwrites the one before, line by line; nothing is cleared first, so nothing flickers.
struct PanelFrames: Sendable {
    private let isColoured: Bool
    private var shown: [StyledLine] = []
    private var size: TerminalSize?

    init(isColoured: Bool) {
        self.isColoured = isColoured
    }

    private static let escape = "\u{1B}["

    /// The text that shows the lines; nothing if they are there already.
    mutating func frame(_ lines: [StyledLine], size: TerminalSize) -> String? {
        guard lines != self.shown || size != self.size else { return nil }
        // The cursor may be shown again by whoever had the terminal between two frames.
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

    /// The text that takes the panel away, so that something else can be written in its place.
    mutating func removal(size: TerminalSize) -> String {
        let text = self.wayBack(size: size) + "\(Self.escape)J"
        self.forget()
        return text
    }

    /// Leaves the panel where it is; the next frame begins at the cursor.
    mutating func forget() {
        self.shown = []
        self.size = nil
    }

    /// What gives the terminal back its cursor.
    static let farewell = "\(Self.escape)?25h"

    /// Goes to the panel's first line.
    ///
    /// A terminal that has become narrower has broken the lines that it shows.
    private func wayBack(size: TerminalSize) -> String {
        let rows = min(StatusScreen.rows(self.shown, width: size.columns), size.rows - 1)
        return !self.shown.isEmpty && rows > 0 ? "\r\(Self.escape)\(rows)A" : "\r"
    }
}
