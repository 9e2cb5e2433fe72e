// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Connector

@Suite("The frames of a panel")
struct PanelFramesTests {
    private static func lines(_ texts: String...) -> [StyledLine] {
        texts.map { StyledLine($0, .good) }
    }

    @Test("A panel stands where the cursor was, and each frame takes the place of the one before")
    func replaces() {
        var terminal = FakeTerminal(columns: 20, rows: 8)
        var frames = PanelFrames(isColoured: true)
        terminal.write("$ culvert\r\n")
        for lines in [Self.lines("one", "two", "three"), Self.lines("1", "2", "3", "4"), Self.lines("a longer one")] {
            terminal.write(frames.frame(lines, size: terminal.size) ?? "nothing")
            #expect(terminal.lines == ["$ culvert"] + lines.map(\.text))
            #expect(!terminal.isCursorShown)
        }
        terminal.write(PanelFrames.showCursor + "$ ")
        #expect(terminal.lines == ["$ culvert", "a longer one", "$"])
        #expect(terminal.isCursorShown)
        #expect(terminal.unknown == [])
    }

    @Test("What is there already is not written again")
    func unchanged() {
        var frames = PanelFrames(isColoured: false)
        let size = TerminalSize(columns: 20, rows: 8)
        let first = frames.frame(Self.lines("one"), size: size)
        let second = frames.frame(Self.lines("one"), size: size)
        let resized = frames.frame(Self.lines("one"), size: TerminalSize(columns: 21, rows: 8))
        #expect(first != nil && second == nil && resized != nil)
    }

    @Test("Without colours there is no sequence but those that move and erase")
    func plain() {
        var frames = PanelFrames(isColoured: false)
        let text = frames.frame(Self.lines("one"), size: TerminalSize(columns: 20, rows: 8)) ?? ""
        #expect(text == "\u{1B}[?25l\rone\u{1B}[K\r\n\u{1B}[J")
    }

    @Test("At the foot of the window the panel pushes up what was there, once")
    func scrolls() {
        var terminal = FakeTerminal(columns: 20, rows: 5)
        var frames = PanelFrames(isColoured: false)
        terminal.write("a\r\nb\r\nc\r\nd\r\n")
        for lines in [Self.lines("1", "2", "3"), Self.lines("4", "5", "6"), Self.lines("7", "8", "9")] {
            terminal.write(frames.frame(lines, size: terminal.size) ?? "nothing")
        }
        #expect(terminal.scrolledOff == ["a", "b", "c"])
        #expect(terminal.lines == ["d", "7", "8", "9"])
    }

    @Test("A line that the terminal wraps counts as the rows it takes", arguments: [10, 11, 20, 21, 30])
    func wraps(length: Int) {
        var terminal = FakeTerminal(columns: 10, rows: 9)
        var frames = PanelFrames(isColoured: true)
        let url = String(repeating: "u", count: length)
        for last in ["x", "y", "z"] {
            terminal.write(frames.frame(Self.lines("top", url, last), size: terminal.size) ?? "nothing")
        }
        #expect(terminal.lines.joined() == "top\(url)z")
        #expect(terminal.lines.count == 2 + (length + 9) / 10)
    }

    @Test("A narrower window has broken the lines, and the way back is longer")
    func resized() {
        var frames = PanelFrames(isColoured: false)
        let wide = TerminalSize(columns: 20, rows: 24)
        _ = frames.frame(Self.lines("123456789012345", "short"), size: wide)
        let text = frames.frame(Self.lines("x"), size: TerminalSize(columns: 10, rows: 24)) ?? ""
        #expect(text.contains("\u{1B}[3A"))
        // Further up than the window is high no cursor goes.
        _ = frames.frame(Array(repeating: StyledLine("x"), count: 20), size: wide)
        let low = frames.frame(Self.lines("x"), size: TerminalSize(columns: 20, rows: 5)) ?? ""
        #expect(low.contains("\u{1B}[4A"))
    }

    @Test("A text can be printed in the panel's place, and the panel comes back below it")
    func removal() {
        var terminal = FakeTerminal(columns: 20, rows: 9)
        var frames = PanelFrames(isColoured: false)
        terminal.write(frames.frame(Self.lines("one", "two"), size: terminal.size) ?? "nothing")
        terminal.write(frames.removal(size: terminal.size) + "a code\r\n")
        terminal.write(frames.frame(Self.lines("one", "two"), size: terminal.size) ?? "nothing")
        #expect(terminal.lines == ["a code", "one", "two"])
    }
}
