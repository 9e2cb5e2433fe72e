// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Connector

@Suite("What the environment says of the terminal")
struct TerminalTraitsTests {
    private func traits(_ environment: [String: String], isTerminal: Bool = true) -> TerminalTraits {
        TerminalTraits(environment: environment, isTerminal: isTerminal)
    }

    @Test("Only a terminal that is not dumb is drawn on")
    func drawing() {
        #expect(self.traits(["TERM": "xterm"]).canDraw)
        #expect(!self.traits(["TERM": "xterm"], isTerminal: false).canDraw)
        for environment in [[:], ["TERM": ""], ["TERM": "dumb"]] {
            #expect(!self.traits(environment).canDraw)
            #expect(!self.traits(environment).isColoured)
        }
    }

    @Test("NO_COLOR takes the colours away, unless it is empty")
    func colours() {
        #expect(self.traits(["TERM": "xterm"]).isColoured)
        #expect(self.traits(["TERM": "xterm", "NO_COLOR": ""]).isColoured)
        #expect(!self.traits(["TERM": "xterm", "NO_COLOR": "1"]).isColoured)
        #expect(self.traits(["TERM": "xterm", "NO_COLOR": "1"]).canDraw)
    }

    @Test("The first locale that is set decides about Unicode; where none is, it is there")
    func unicode() {
        #expect(self.traits([:]).isUnicode)
        #expect(self.traits(["LANG": "de_DE.UTF-8"]).isUnicode)
        #expect(self.traits(["LC_ALL": "", "LC_CTYPE": "C.utf8", "LANG": "C"]).isUnicode)
        #expect(!self.traits(["LC_ALL": "C", "LANG": "de_DE.UTF-8"]).isUnicode)
        #expect(!self.traits(["LANG": "de_DE.ISO-8859-1"]).isUnicode)
    }
}
