// SPDX-License-Identifier: Apache-2.0

import Inspection
import Testing

@testable import ConnectorCore

@Suite("Signing a replay anew")
struct SigningSecretTests {
    private static let body = Array(#"{"test": 2432232314}"#.utf8)

    private static func fields(
        _ scheme: SignatureScheme,
        _ secret: String,
        _ head: String = "",
        at seconds: Int64
    ) throws -> [HeadText.Field] {
        let head = HeadText(Array("POST / HTTP/1.1\r\n\(head)\r\n".utf8))
        return try #require(SigningSecret(scheme, secret: secret)).fields(for: Self.body, in: head, at: seconds)
    }

    @Test("The example of Standard Webhooks comes out, and that of Svix, which is the same")
    func standard() throws {
        // The example of the specification and of its libraries.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        for (scheme, prefix) in [(SignatureScheme.standard, "webhook"), (.svix, "svix")] {
            let fields = try Self.fields(
                scheme,
                secret,
                "\(prefix)-id: msg_p5jXN8AQM9LWM0D4loKWxJek\r\n",
                at: 1_614_265_330
            )
            #expect(
                fields == [
                    HeadText.Field("\(prefix)-timestamp", "1614265330"),
                    HeadText.Field("\(prefix)-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
                ]
            )
        }
    }

    @Test("Stripe's, Slack's, GitHub's and Shopify's are codes over what their documentation says")
    func others() throws {
        let hello = Array("Hello, World!".utf8)
        let head = HeadText(Array("POST / HTTP/1.1\r\n\r\n".utf8))
        // GitHub's own example.
        let github = try #require(SigningSecret(.github, secret: "It's a Secret to Everybody"))
        #expect(
            github.fields(for: hello, in: head, at: 0) == [
                HeadText.Field(
                    "x-hub-signature-256",
                    "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
                )
            ]
        )
        // What `openssl dgst -sha256 -hmac SECRET -binary | base64` makes of the same bytes.
        let shopify = try #require(SigningSecret(.shopify, secret: "It's a Secret to Everybody"))
        #expect(
            shopify.fields(for: hello, in: head, at: 0) == [
                HeadText.Field("x-shopify-hmac-sha256", "dXEH6g6yUJ/CESIczphLijdXC211hsIsRvQ3nIsEPhc=")
            ]
        )
        // Slack's own example.
        let form = """
            token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&\
            channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&\
            response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F\
            96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c
            """
        let slack = try #require(SigningSecret(.slack, secret: "8f742231b10e8888abcd99yyyzzz85a5"))
        #expect(
            slack.fields(for: Array(form.utf8), in: head, at: 1_531_420_618).last
                == HeadText.Field(
                    "x-slack-signature",
                    "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
                )
        )
        let stripe = try #require(SigningSecret(.stripe, secret: "whsec_x")).fields(for: hello, in: head, at: 7)
        #expect(stripe.count == 1 && stripe[0].value.hasPrefix("t=7,v1=") && stripe[0].value.utf8.count == 71)
    }

    @Test("A secret is for requests that have its signature, and for its tunnel")
    func choice() throws {
        let signed = HeadText(Array("POST / HTTP/1.1\r\nStripe-Signature: t=1,v1=0\r\n\r\n".utf8))
        let plain = HeadText(Array("POST / HTTP/1.1\r\nHost: x\r\n\r\n".utf8))
        let secret = try #require(SigningSecret(.stripe, secret: "x", tunnel: "my-app"))
        #expect(secret.signs(signed, of: "my-app"))
        #expect(!secret.signs(signed, of: "other"))
        #expect(!secret.signs(plain, of: "my-app"))
        #expect(SigningSecret(.stripe, secret: "x")?.signs(signed, of: "other") == true)
        #expect(SigningSecret(.stripe, secret: "") == nil)
        #expect(SigningSecret(.svix, secret: "whsec_no base64") == nil)
    }
}
