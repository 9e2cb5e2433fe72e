// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Crypto
import Foundation
import Testing

@testable import EdgeInbox

@Suite("Signatures of webhooks")
struct SignatureCheckTests {
    private static func hex(_ message: String, _ key: String) -> String {
        HMAC<SHA256>.authenticationCode(for: Data(message.utf8), using: SymmetricKey(data: Data(key.utf8)))
            .map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private func check(
        _ verify: InboxSettings.Verification,
        _ fields: [String: [String]],
        body: String = "body",
        now: Double = 1_000
    ) -> SignatureCheck.Result {
        SignatureCheck(verify).check(
            SignedRequest(method: "POST", target: "/hook", body: Array(body.utf8)) { fields[$0] ?? [] },
            now: now
        )
    }

    @Test("The example of GitHub's documents is right, and a changed body is not")
    func github() {
        let verify = InboxSettings.Verification(scheme: .github, secret: "It's a Secret to Everybody")
        let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        let fields = ["x-hub-signature-256": [signature]]
        #expect(self.check(verify, fields, body: "Hello, World!") == .right)
        #expect(self.check(verify, fields, body: "Hello, World?") == .wrong)
        #expect(self.check(verify, [:], body: "Hello, World!") == .missing)
        #expect(self.check(verify, ["x-hub-signature-256": [signature, signature]], body: "Hello, World!") == .missing)
        #expect(self.check(verify, ["x-hub-signature-256": ["sha256=7x"]], body: "Hello, World!") == .missing)
    }

    @Test("Any of Stripe's signatures may be right, and its time is near")
    func stripe() {
        let verify = InboxSettings.Verification(scheme: .stripe, secret: "whsec_a")
        let right = Self.hex("1000.body", "whsec_a")
        let field = ["stripe-signature": ["t=1000,v1=\(String(repeating: "0", count: 64)),v1=\(right),v0=\(right)"]]
        #expect(self.check(verify, field) == .right)
        #expect(self.check(verify, field, now: 1_300) == .right)
        #expect(self.check(verify, field, now: 1_301) == .stale)
        #expect(self.check(verify, field, now: 699) == .stale)
        #expect(self.check(verify, ["stripe-signature": ["v1=\(right)"]]) == .missing)
        #expect(self.check(verify, ["stripe-signature": ["t=nan,v1=\(right)"]]) == .missing)
        #expect(self.check(verify, ["stripe-signature": ["t=1000,v0=\(right)"]]) == .missing)
    }

    @Test("Slack signs its time with the body")
    func slack() {
        let verify = InboxSettings.Verification(scheme: .slack, secret: "s")
        let signature = "v0=" + Self.hex("v0:1000:body", "s")
        let fields = ["x-slack-signature": [signature], "x-slack-request-timestamp": ["1000"]]
        #expect(self.check(verify, fields) == .right)
        var later = fields
        later["x-slack-request-timestamp"] = ["1001"]
        #expect(self.check(verify, later) == .wrong)
        #expect(self.check(verify, fields, now: 5_000) == .stale)
    }

    @Test("The example of the Standard Webhooks specification is right", arguments: ["webhook", "svix"])
    func standard(_ name: String) {
        let verify = InboxSettings.Verification(
            scheme: .standard,
            secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        )
        var fields = [
            "\(name)-id": ["msg_p5jXN8AQM9LWM0D4loKWxJek"], "\(name)-timestamp": ["1614265330"],
            "\(name)-signature": ["v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v2,x"],
        ]
        #expect(self.check(verify, fields, body: #"{"test": 2432232314}"#, now: 1_614_265_330) == .right)
        fields["\(name)-id"] = ["msg_other"]
        #expect(self.check(verify, fields, body: #"{"test": 2432232314}"#, now: 1_614_265_330) == .wrong)
        fields["\(name)-id"] = nil
        #expect(self.check(verify, fields, body: #"{"test": 2432232314}"#, now: 1_614_265_330) == .missing)
    }

    @Test("Shopify writes base 64")
    func shopify() {
        let code = HMAC<SHA256>.authenticationCode(for: Data("body".utf8), using: SymmetricKey(data: Data("s".utf8)))
        let fields = ["x-shopify-hmac-sha256": [Data(code).base64EncodedString()]]
        #expect(self.check(.init(scheme: .shopify, secret: "s"), fields) == .right)
        #expect(self.check(.init(scheme: .shopify, secret: "t"), fields) == .wrong)
    }

    @Test("A scheme of one's own signs what its template says")
    func generic() {
        var verify = InboxSettings.Verification(scheme: .generic, secret: "s")
        verify.generic = .init(field: "X-Sign")
        verify.generic?.prefix = "hmac "
        verify.generic?.template = "{method} {path} {header:X-Id} {odd}{body}"
        let fields = ["x-sign": ["hmac " + Self.hex("POST /hook 7 {odd}body", "s")], "x-id": ["7"]]
        #expect(self.check(verify, fields) == .right)
        #expect(self.check(verify, ["x-sign": fields["x-sign"] ?? []]) == .missing)
    }

    @Test("No secret makes no signature right", arguments: InboxSettings.Verification.Scheme.allCases)
    func noSecret(_ scheme: InboxSettings.Verification.Scheme) {
        let code = Self.hex("body", "")
        let fields = ["x-hub-signature-256": ["sha256=\(code)"]]
        #expect(self.check(.init(scheme: scheme, secret: nil), fields) != .right)
    }
}
