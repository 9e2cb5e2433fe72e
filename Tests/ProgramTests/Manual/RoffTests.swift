// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Program

@Suite("Text in the language of man pages")
struct RoffTests {
    @Test("Text that looks like a request or an escape is only text")
    func roff() {
        var page = Roff()
        page.line(".so /etc/passwd")
        page.line("'tis a \\ and --option…")
        page.request("SH", ["say \"x\""])
        page.prose("a:\n  b\n\nc")
        #expect(
            page.source == """
                \\&.so /etc/passwd
                \\&'tis a \\e and \\-\\-option\\[u2026]
                .SH "say \\(dqx\\(dq"
                a:
                .RS
                .nf
                b
                .fi
                .RE
                .PP
                c

                """
        )
    }

    @Test("What is not the argument parser's JSON of the version that is known is refused")
    func unknownFormat() throws {
        for json in ["", "{}", #"{"serializationVersion":1,"command":{"commandName":"x","shouldDisplay":true}}"#] {
            #expect(throws: CommandDocument.UnknownFormat.self) { try CommandDocument(dumpedHelp: json) }
        }
        let known = #"{"serializationVersion":0,"command":{"commandName":"x","shouldDisplay":true}}"#
        #expect(try CommandDocument(dumpedHelp: known).commandName == "x")
    }
}
