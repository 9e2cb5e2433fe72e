// SPDX-License-Identifier: Apache-2.0

import Crypto
import Foundation
import Testing

@testable import Program

@Suite("QR codes")
struct QRCodeTests {
    private static let uri =
        "otpauth://totp/Culvert:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Culvert"
        + "&algorithm=SHA1&digits=6&period=30"

    /// The hashes are of what the Python package `qrcode` 8 draws for level L and mask 0.
    @Test(
        "The modules are those that another implementation draws",
        arguments: [
            ("a", 21, "bf35b1e154e92eb4f32a6bae5b813d5809763714b28b6d0e376fe986c07c6d1f"),
            (
                String(repeating: "x", count: 60), 33,
                "c4497937b5332a6da0acded01a60d452becabacefd9638c594ae9761a8b9a9ee"
            ),
            (Self.uri, 41, "d603ad4516a46d90fc79d298a552066dc599bb5ee437993ca95600736745fc81"),
            (
                String(repeating: "y", count: 150), 45,
                "99df1327c0e3e61bb91ad68ca7b6c6204ad1fd6f197c49571a8407cce82f1d5c"
            ),
            (
                String(repeating: "z", count: 180), 49,
                "7a4628cb042f4351baefa51aaf46e4f1f9557b1eb910bfaf23671cb47da01290"
            ),
            (
                String(repeating: "w", count: 220), 53,
                "14bc9346831292a2aa33961730beeb9b86e4c73791fb122a2f2ffac4dda3dd08"
            ),
        ]
    )
    func modules(text: String, size: Int, hash: String) throws {
        let code = try #require(QRCode(text))
        #expect(code.modules.count == size)
        let rows = code.modules.map { row in row.map { $0 ? "1" : "0" }.joined() }.joined(separator: "\n")
        let sum = SHA256.hash(data: Array(rows.utf8)).map { String(format: "%02x", $0) }.joined()
        #expect(sum == hash)
    }

    @Test("A text that is too long gives no code")
    func tooLong() {
        #expect(QRCode(String(repeating: "a", count: 230)) != nil)
        #expect(QRCode(String(repeating: "a", count: 231)) == nil)
    }

    @Test("What a terminal shows has the modules and a light margin, with colours and without")
    func terminalText() throws {
        let code = try #require(QRCode("a"))
        #expect(code.columns == 25)
        #expect(code.rows == 13)
        let coloured = code.terminalText.split(separator: "\n")
        let plain = code.plainText.split(separator: "\n")
        #expect(coloured.count == 13 && plain.count == 13)
        #expect(!code.plainText.contains("\u{1B}"))
        for (line, other) in zip(coloured, plain) {
            let text = line.dropFirst("\u{1B}[30;107m".count).dropLast("\u{1B}[0m".count)
            #expect(line.hasPrefix("\u{1B}[30;107m") && line.hasSuffix("\u{1B}[0m"))
            #expect(text.count == 25 && other.count == 25)
        }
        #expect(coloured[0].contains(String(repeating: " ", count: 25)))
        #expect(plain[0] == String(repeating: "\u{2588}", count: 25))
        // The first rows of the finder pattern: one is dark throughout, the next at its ends only.
        #expect(coloured[1].contains("  \u{2588}\u{2580}\u{2580}\u{2580}\u{2580}\u{2580}\u{2588} "))
        #expect(plain[1].hasPrefix("\u{2588}\u{2588} \u{2584}\u{2584}\u{2584}\u{2584}\u{2584} \u{2588}"))
    }
}
