// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

@Suite("One-time passwords")
struct OneTimePasswordTests {
    private let password = OneTimePassword(secret: Array("12345678901234567890".utf8))

    @Test(
        "The vectors of RFC 6238 appendix B for SHA-1",
        arguments: [
            (59, "94287082"), (1_111_111_109, "07081804"), (1_111_111_111, "14050471"), (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"), (20_000_000_000, "65353130"),
        ] as [(Int64, String)]
    )
    func vectors(seconds: Int64, code: String) {
        #expect(self.password.code(counter: OneTimePassword.counter(at: seconds), digits: 8) == code)
        #expect(self.password.code(counter: OneTimePassword.counter(at: seconds)) == String(code.suffix(6)))
    }

    @Test("The codes of RFC 4226 appendix D", arguments: [(0, "755224"), (1, "287082"), (9, "520489")])
    func counterVectors(counter: UInt64, code: String) {
        #expect(self.password.code(counter: counter) == code)
    }

    @Test("The codes of one step before and after are accepted, those of two steps are not")
    func window() {
        let now: Int64 = 1_000_000
        let current = OneTimePassword.counter(at: now)
        for offset in -2...2 {
            let counter = UInt64(Int64(current) + Int64(offset))
            let found = self.password.matchingCounter(self.password.code(counter: counter), at: now)
            #expect(found == (abs(offset) <= 1 ? counter : nil))
        }
        #expect(self.password.matchingCounter("", at: now) == nil)
        #expect(self.password.matchingCounter("00000a", at: now) == nil)
    }

    @Test("A code is accepted once, and none that is older than an accepted one")
    func replay() {
        let codes = OneTimePasswordGuard()
        let now: Int64 = 1_000_000
        let current = OneTimePassword.counter(at: now)
        let code = self.password.code(counter: current)
        let older = self.password.code(counter: current - 1)
        #expect(codes.acceptHere(code, for: self.password, keyName: "a", at: now))
        #expect(!codes.acceptHere(code, for: self.password, keyName: "a", at: now))
        #expect(!codes.acceptHere(older, for: self.password, keyName: "a", at: now))
        #expect(codes.acceptHere(code, for: self.password, keyName: "b", at: now))
        #expect(
            codes.acceptHere(self.password.code(counter: current + 1), for: self.password, keyName: "a", at: now + 30)
        )
    }

    @Test("The URI holds any name that a key may have")
    func uri() {
        let password = OneTimePassword(secret: Array("12345678901234567890".utf8))
        let secret = Base32.encode(password.secret)
        for (name, label) in [("alice@work", "alice@work"), ("a?b&c%d#e/f", "a%3Fb%26c%25d%23e%2Ff")] {
            #expect(
                password.uri(name: name)
                    == "otpauth://totp/Culvert:\(label)?secret=\(secret)&issuer=Culvert&algorithm=SHA1&digits=6&period=30"
            )
        }
    }
}
