// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Testing

@testable import Edge
@testable import EdgeTunnels

@Suite("Spellings of secrets")
struct TextCodingTests {
    @Test(
        "The vectors of RFC 4648 §10 for base 32",
        arguments: [
            ("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"), ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ]
    )
    func base32(text: String, coded: String) {
        #expect(Base32.encode(text.utf8) == coded)
        #expect(Base32.decode(coded) == Array(text.utf8))
        #expect(Base32.decode(coded.lowercased() + "====") == Array(text.utf8))
    }

    @Test("Letters outside the alphabets are refused")
    func foreignLetters() {
        #expect(Base32.decode("M1") == nil)
        #expect(Hexadecimal.decode("0g") == nil)
        #expect(Hexadecimal.decode("012") == nil)
        #expect(Hexadecimal.decode("00fF") == [0, 255])
        #expect(Hexadecimal.encode([0, 255]) == "00ff")
    }

    @Test("Comparison in constant time tells equal from different")
    func constantTime() {
        #expect(ConstantTime.equal([1, 2], [1, 2]))
        #expect(!ConstantTime.equal([1, 2], [1, 3]))
        #expect(!ConstantTime.equal([1, 2], [1]))
    }

    @Test("The vectors of RFC 7914 §11 for PBKDF2")
    func passwordVectors() {
        // The RFC gives 64 bytes; the first block is what this program derives.
        let derived = PasswordHash.derive(password: Array("passwd".utf8), salt: Array("salt".utf8), iterations: 1)
        #expect(Hexadecimal.encode(derived) == "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc")
        let slow = PasswordHash.derive(password: Array("Password".utf8), salt: Array("NaCl".utf8), iterations: 80_000)
        #expect(Hexadecimal.encode(slow) == "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56")
    }

    @Test("A hashed password is recognised, another one isn't, and the password itself is gone")
    func passwords() throws {
        let credential = PasswordHash.hashed(BasicCredential(username: "u", password: "secret"))
        let hash = try #require(credential.passwordHash)
        #expect(credential.password == nil)
        #expect(PasswordHash.verify(Array("secret".utf8), hash: hash))
        #expect(!PasswordHash.verify(Array("Secret".utf8), hash: hash))
        #expect(TextSyntax.passwordHash.isValid(hash))
        #expect(!TextSyntax.passwordHash.isValid(hash.replacing("$50000$", with: "$4000000$")))
        #expect(!PasswordHash.verify(Array("secret".utf8), hash: "secret"))
    }
}
