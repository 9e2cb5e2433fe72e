// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Edge
@testable import EdgeControl
@testable import JSONText

@Suite("Strict JSON")
struct StrictJSONTests {
    private struct Value: Decodable, Equatable {
        struct Inner: Decodable, Equatable {
            var kind: String?
        }

        var text: String?
        var number: Int?
        var inner: [Inner]?
    }

    private let members = JSONMembers.object([
        "text": .leaf, "number": .number(1...9), "inner": .array(.object(["kind": .choice(["one", "other"])])),
    ])

    private func decode(_ bytes: [UInt8]) throws(JSONFault) -> Value {
        try StrictJSON.decode(Value.self, members: self.members, from: bytes)
    }

    private func fault(_ text: String) -> String? {
        do {
            _ = try self.decode(Array(text.utf8))
            return nil
        } catch {
            return error.description
        }
    }

    @Test(
        "What decoders take and RFC 8259 does not is refused, with its place",
        arguments: [
            ("", "the text is not JSON: line 1, column 1: it ends too early"),
            ("{", "the text is not JSON: line 1, column 2: it ends too early"),
            (
                "{\n \"text\": \"a\",\n}",
                "the text is not JSON: line 3, column 1: a member's name in quotes is expected"
            ),
            ("{'text':1}", "the text is not JSON: line 1, column 2: a member's name in quotes is expected"),
            (#"{"text" 1}"#, "the text is not JSON: line 1, column 9: a colon is expected"),
            (#"{"text":"a" "number":1}"#, "the text is not JSON: line 1, column 13: a comma or } is expected"),
            ("[1 2]", "the text is not JSON: line 1, column 4: a comma or ] is expected"),
            ("[1,]", "the text is not JSON: line 1, column 4: a value is expected"),
            (#"{"number":03}"#, "the text is not JSON: line 1, column 12: a comma or } is expected"),
            (#"{"number":+3}"#, "the text is not JSON: line 1, column 11: a value is expected"),
            (#"{"number":3.}"#, "the text is not JSON: line 1, column 13: a digit is expected"),
            (#"{"number":NaN}"#, "the text is not JSON: line 1, column 11: a value is expected"),
            (#"{"text":nul}"#, "the text is not JSON: line 1, column 9: a value is expected"),
            ("{}{}", "the text is not JSON: line 1, column 3: nothing may follow the value"),
            ("{}\u{0}", "the text is not JSON: line 1, column 3: nothing may follow the value"),
            ("{/**/}", "the text is not JSON: line 1, column 2: a member's name in quotes is expected"),
            ("{\"text\":\"a\nb\"}", "the text is not JSON: line 1, column 11: a control character has to be escaped"),
            (#"{"text":"\x"}"#, "the text is not JSON: line 1, column 11: there is no such escape"),
            (#"{"text":"\u12g4"}"#, "the text is not JSON: line 1, column 14: four hexadecimal digits are expected"),
            (#"{"text":"\ud800"}"#, "the text is not JSON: line 1, column 16: half of a surrogate pair"),
            (#"{"text":"\udc00"}"#, "the text is not JSON: line 1, column 16: half of a surrogate pair"),
            (#"{"text":"\ud800\u0041"}"#, "the text is not JSON: line 1, column 22: half of a surrogate pair"),
        ]
    )
    func malformed(text: String, message: String) {
        #expect(self.fault(text) == message)
    }

    @Test(
        "A value that is not as it has to be is named",
        arguments: [
            (#"{"text":"a","text":"b"}"#, "text is there twice"),
            (#"{"text":"a","te\u0078t":"b"}"#, "text is there twice"),
            (#"{"inner":[{},{"kind":"one","kind":"one"}]}"#, "inner[1].kind is there twice"),
            (#"{"txet":1}"#, "txet is not known here"), (#"{"":1}"#, #""" is not known here"#),
            (#"{"a\nb":1}"#, #""a\nb" is not known here"#), (#"{"inner":[{"x":1}]}"#, "inner[0].x is not known here"),
            (#"{"number":0}"#, "number has to be a whole number from 1 to 9"),
            (#"{"number":1.5}"#, "number has to be a whole number from 1 to 9"),
            (#"{"number":1e400}"#, "number has to be a whole number from 1 to 9"),
            (#"{"number":"1"}"#, "number has to be a number"), (#"{"text":1}"#, "text has to be a string"),
            (#"{"inner":{}}"#, "inner has to be an array"), (#"{"inner":[1]}"#, "inner[0] has to be an object"),
            (#"{"inner":[{"kind":"x"}]}"#, "inner[0].kind has to be one or other"),
            ("[]", "the text has to be an object"), ("1", "the text has to be an object"),
            ("null", "the text can't be null"),
        ]
    )
    func misplaced(text: String, message: String) {
        #expect(self.fault(text) == message)
    }

    @Test("What is valid is decoded, with its escapes and with a byte order mark")
    func valid() throws {
        let text = #" { "text" : "\u00e9\ud83d\ude00\/\n" , "number" : 2e0 , "inner" : [ { } , { "kind" : null } ] } "#
        let expected = Value(text: "é😀/\n", number: 2, inner: [Value.Inner(), Value.Inner()])
        #expect(try self.decode(Array(text.utf8)) == expected)
        #expect(try self.decode([0xef, 0xbb, 0xbf] + Array(text.utf8)) == expected)
    }

    @Test(
        "Only UTF-8 is taken for text",
        arguments: [[0x22, 0xff, 0x22], [0x22, 0xc0, 0xaf, 0x22], [0x7b, 0, 0x7d, 0]]
    )
    func encoding(bytes: [UInt8]) {
        #expect(throws: JSONFault.self) { try JSONOutline(bytes) }
    }

    @Test("A hundred thousand levels are refused, and 64 are not")
    func depth() throws {
        let deep = String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)
        #expect(self.fault(deep) == "the text is nested deeper than 64 levels")
        #expect(
            self.fault(String(repeating: #"{"text":"#, count: 100_000)) == "the text is nested deeper than 64 levels"
        )
        let allowed = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
        _ = try JSONOutline(Array(allowed.utf8))
    }

    @Test("Whatever is cut out of a text or changed in it, nothing but texts that a decoder takes as well is taken")
    func mutations() {
        let text = Array(
            #"{"text":"\u00e9\ud83d\ude00é\n","number":-1.5e+3,"inner":[{"kind":null},[true,false,[]],{}]}"#.utf8
        )
        let bytes = Array("{}[]\",:\\u0d8-+.eEtfn \n".utf8) + [0x00, 0x1f, 0x80, 0xc3, 0xff]
        var variants: [[UInt8]] = []
        for index in text.indices {
            variants += [Array(text[..<index]), Array(text[..<index]) + text[(index + 1)...]]
            for byte in bytes {
                var changed = text
                changed[index] = byte
                variants.append(changed)
                changed = text
                changed.insert(byte, at: index)
                variants.append(changed)
            }
        }
        var taken = 0
        for variant in variants where (try? JSONOutline(variant)) != nil {
            taken += 1
            let object = try? JSONSerialization.jsonObject(with: Data(variant), options: .fragmentsAllowed)
            #expect(object != nil, "\(String(decoding: variant, as: UTF8.self))")
        }
        #expect((100..<variants.count / 2).contains(taken))
    }

    @Test("Of a very long name only the beginning is told")
    func longName() throws {
        let message = try #require(self.fault(#"{"\#(String(repeating: "x", count: 60_000))":1}"#))
        #expect(message.utf8.count < 150)
    }
}
