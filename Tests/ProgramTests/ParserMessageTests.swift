// SPDX-License-Identifier: Apache-2.0

import Program
import Testing

@Suite("What the parser says")
struct ParserMessageTests {
    @Test("A failure bears the name of the program, and help is left as it is")
    func report() {
        #expect(ParserMessage.report("Error: No.\nUsage: a", of: "culvert") == "culvert: No.\nUsage: a")
        #expect(ParserMessage.report("USAGE: culvert", of: "culvert") == nil)
    }
}
