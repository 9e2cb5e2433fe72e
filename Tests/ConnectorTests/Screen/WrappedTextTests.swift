// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Connector

@Suite("Text that is broken at its spaces")
struct WrappedTextTests {
    @Test("Lines are as long as they may be, and a word that is longer stays in one piece")
    func lines() {
        #expect("one two three".wrapped(to: 7) == ["one two", "three"])
        #expect("one two three".wrapped(to: 6) == ["one", "two", "three"])
        #expect("a https://edge.example/ b".wrapped(to: 5) == ["a", "https://edge.example/", "b"])
        #expect("漢字 漢字 漢".wrapped(to: 9) == ["漢字 漢字", "漢"])
        #expect("".wrapped(to: 5) == [])
    }

    @Test("The last line that is allowed takes the rest")
    func limit() {
        #expect("one two three".wrapped(to: 3, limit: 2) == ["one", "two three"])
    }

    @Test("Further lines stand below the first one; for a program there is one, as in a window that is too narrow")
    func hanging() {
        let text = "one two three four five six seven"
        #expect(text.hanging(from: "culvert: ", columns: 30) == "culvert: one two three four\n         five six seven")
        #expect(text.hanging(from: "culvert: ", columns: nil) == "culvert: " + text)
        #expect(text.hanging(from: "culvert: ", columns: 29) == "culvert: " + text)
        #expect("".hanging(from: "culvert: ", columns: 80) == "culvert: ")
    }

    @Test("A report for a window hangs its findings and advice below each other")
    func diagnosis() {
        let step = DiagnosisStep(
            name: "edge port",
            verdict: .failed,
            finding: "No edge answers at this address.",
            advice: "Is the edge running at all?",
            elapsed: .milliseconds(12)
        )
        #expect(
            DiagnosisReport(steps: [step]).text(columns: 40) == """
                FAIL  edge port  No edge answers at
                                 this address. (12 ms)
                                 Is the edge running at
                                 all?
                """
        )
        #expect(DiagnosisReport(steps: [step]).text(columns: nil).split(separator: "\n").count == 2)
    }
}
