// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Connector

@Suite("How wide text is on a terminal")
struct DisplayWidthTests {
    @Test(
        "Text takes as many columns as a terminal gives it",
        arguments: [
            ("", 0), ("abc", 3), ("Größe", 5), ("e\u{301}", 1), ("漢字", 4), ("한글", 4), ("ｆ", 2), ("😀", 2),
            ("→ ● …", 5), ("🇩🇪", 2), ("\u{200B}", 0), ("─", 1),
        ]
    )
    func width(text: String, width: Int) {
        #expect(text.displayWidth == width)
    }

    @Test("A line is cut between characters, and never wider than asked", arguments: 0...12)
    func fitted(columns: Int) {
        var line = StyledLine("ab", .good)
        line.append("漢字e\u{301}", .bad)
        line.append("xyz")
        let fitted = line.fitted(to: columns, ellipsis: "…")
        #expect(fitted.width <= columns)
        #expect(fitted.width == fitted.text.displayWidth)
        #expect((fitted == line) == (columns >= line.width))
        if columns < line.width, columns > 0 { #expect(fitted.text.hasSuffix("…")) }
    }

    @Test("What moves the cursor or turns the writing direction is left out")
    func unprintable() {
        #expect(StyledLine("a\u{1B}[2J\r\n\u{202E}b\u{7}").text == "a[2Jb")
    }
}
