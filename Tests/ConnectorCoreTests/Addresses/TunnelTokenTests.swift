// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import ConnectorCore

@Suite("The tunnel token")
struct TunnelTokenTests {
    @Test("The claims say whom to dial, whatever the padding", arguments: ["", "x", "xx", "xxx"])
    func claims(filler: String) throws {
        let text = TokenText.signed(
            #"{"sub":"my-app","edge":"https://edge.example.com","exp":2000000000,"jti":"\#(filler)"}"#
        )
        let token = try TunnelToken(parsing: "\n \(text)\r\n")
        #expect(token.tunnelID == "my-app")
        #expect(token.edge?.description == "https://edge.example.com")
        #expect(token.secret == text)
    }

    @Test("A token that has ended says so, and when; one that has not, or that does not say when it ends, says nothing")
    func expiry() throws {
        let token = try TunnelToken(parsing: TokenText.signed(#"{"sub":"my-app","exp":1000000000}"#))
        let end = Date(timeIntervalSince1970: 1_000_000_000)
        #expect(token.expiry(at: end) == "The tunnel token of my-app expired at 2001-09-09T01:46:40Z.")
        #expect(token.expiry(of: "access token", at: end)?.hasPrefix("The access token of") == true)
        #expect(token.expiry(at: end - 1) == nil)
        #expect(try TunnelToken(parsing: TokenText.signed(#"{"sub":"my-app"}"#)).expiry(at: .distantFuture) == nil)
    }

    @Test("A token without an edge is usable with --edge")
    func withoutEdge() throws {
        #expect(try TunnelToken(parsing: TokenText.signed(#"{"sub":"abc"}"#)).edge == nil)
    }

    @Test(
        "What is not a tunnel token is refused",
        arguments: [
            ("", .empty),
            ("  \n", .empty),
            ("hello", .notAToken),
            ("a.b", .notAToken),
            ("a..c", .notAToken),
            ("a.!!!.c", .notAToken),
            (TokenText.signed("[]"), .notAToken),
            (TokenText.signed("{}"), .noTunnel),
            (TokenText.signed(#"{"sub":"../../etc"}"#), .noTunnel),
            (TokenText.signed(#"{"sub":"ab"}"#), .noTunnel),
            (
                TokenText.signed(#"{"sub":"abc","edge":"ftp://x"}"#),
                .badEdge("only http://, https://, ws:// and wss:// are understood")
            ),
        ] as [(String, TunnelTokenError)]
    )
    func refusals(text: String, expected: TunnelTokenError) {
        #expect(throws: expected) { try TunnelToken(parsing: text) }
    }

    @Test("A token never shows its secret when printed, dumped or interpolated")
    func secrecy() throws {
        let token = try TunnelToken(parsing: TokenText.signed(#"{"sub":"my-app"}"#))
        var dumped = ""
        dump((1, token), to: &dumped)
        for text in ["\(token)", String(reflecting: token), "\([token])", dumped] {
            #expect(!text.contains("eyJ"), "\(text)")
        }
    }
}
