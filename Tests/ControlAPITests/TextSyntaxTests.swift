// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Testing

@Suite("Texts in a policy")
struct TextSyntaxTests {
    @Test(
        "A host is a name or an address in brackets, with or without a port",
        arguments: [
            ("rewrite", true), ("preserve", true), ("localhost:3000", true), ("app_1.internal", true), ("[::1]", true),
            ("[::1]:65535", true), ("A", true), ("", false), ("a b", false), ("a\r\nb", false), ("a\n", false),
            ("a:b:c", false), ("a:65536", false), ("a:080", false), ("a:", false), (":80", false), ("[", false),
            ("[]", false), ("[::1]x", false), ("[::g]", false), ("é", false), ("\u{212A}", false),
            (String(repeating: "a", count: 249), true), (String(repeating: "a", count: 250), false),
        ]
    )
    func host(text: String, isValid: Bool) {
        #expect(TextSyntax.host.isValid(text) == isValid)
    }

    @Test(
        "A network is an address with or without the length of its prefix",
        arguments: [
            ("192.0.2.7", true), ("10.0.0.0/8", true), ("0.0.0.0/0", true), ("10.0.0.0/32", true), ("::", true),
            ("2001:db8::/32", true), ("::/128", true), ("::ffff:192.0.2.0/120", true), ("::ffff:192.0.2.0/95", false),
            ("10.0.0.0/33", false), ("::/129", false), ("10.0.0.0/", false), ("10.0.0.0/-0", false), ("/8", false),
            ("10.0.0.0/8/8", false), ("10.0.0", false), ("010.0.0.1", false), ("fe80::1%eth0", false), ("", false),
            ("10.0.0.1\u{0}x", false), (" 10.0.0.1", false), ("[::1]", false), ("x", false),
        ]
    )
    func network(text: String, isValid: Bool) {
        #expect(TextSyntax.network.isValid(text) == isValid)
    }

    @Test("What the pattern of a text describes is what is taken")
    func patterns() throws {
        let hash =
            "pbkdf2-sha256$50000$" + String(repeating: "0a", count: 16) + "$" + String(repeating: "f9", count: 32)
        let cases: [(TextSyntax, [String])] = [
            (.host, ["app.test:8080", "[::1]:443", "localhost:65535", "rewrite"]), (.userName, ["guest", "a"]),
            (.password, ["a pass~word", " "]), (.passwordHash, [hash, hash.replacing("50000", with: "1")]),
        ]
        let alphabet = Array("az09AZ.:-_[]$~! \n\té\u{7f}")
        let seed = UInt64.random(in: 0...UInt64.max)
        print("text syntax: seed \(seed)")
        var generator = SplitMix64(state: seed)
        for (syntax, samples) in cases {
            guard case .pattern(let pattern) = syntax.forms.first, syntax.forms.count == 1 else {
                Issue.record("\(syntax.requirement) has no pattern")
                continue
            }
            // ECMA's $ stands for the end alone; ICU's also stands before a last line break.
            let expression = try NSRegularExpression(pattern: String(pattern.dropLast()) + "\\z")
            for sample in samples {
                #expect(syntax.isValid(sample), "\(sample)")
                for _ in 0..<2_000 {
                    var text = Array(sample)
                    for _ in 0..<Int.random(in: 1...2, using: &generator) {
                        let place = Int.random(in: 0...text.count, using: &generator)
                        let removed = Int.random(in: 0...1, using: &generator)
                        let added =
                            Int.random(in: 0...1, using: &generator) == 0
                            ? [] : [alphabet.randomElement(using: &generator) ?? "a"]
                        text.replaceSubrange(place..<min(place + removed, text.count), with: added)
                    }
                    let string = String(text)
                    let matches = expression.firstMatch(in: string, range: NSRange(string.startIndex..., in: string))
                    #expect((matches != nil) == syntax.isValid(string), "\(string.debugDescription)")
                }
            }
        }
    }
}

/// A generator that a seed repeats (SplitMix64, Steele and others 2014).
private struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var value = self.state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
