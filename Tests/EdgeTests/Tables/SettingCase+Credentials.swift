// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Mux
import Program
import Protocol
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

extension SettingCase {
    private static let signingKey = Data(repeating: 5, count: 32).base64EncodedString()

    /// What the edge believes callers and connectors by.
    static var credentials: [SettingCase] {
        [
            SettingCase("auth.api-keys-file") {
                try await Self.inFolder { folder in
                    let file = try Self.writeKeys(["cvk_alice": "alice", "cvk_bob": "bob"], in: folder)
                    try await EdgeUnderTest.run(["--auth-api-keys-file", file]) { edge in
                        let known = try await edge.call("GET", "tunnels/list", key: "cvk_alice")
                        #expect(known.status == 200)
                        let unknown = try await edge.call("GET", "tunnels/list", key: "cvk_carol")
                        #expect(unknown.status == 401)
                    }
                }
            },
            SettingCase("auth.signing-keys-file") {
                try await Self.inFolder { folder in
                    let file = folder.appending(path: "signing-keys.json")
                    try Self.write(#"{"keys":[{"kid":"of-the-file","secret":"\#(Self.signingKey)"}]}"#, to: file)
                    try await EdgeUnderTest.run(["--auth-signing-keys-file", file.path]) { edge in
                        let head = try await edge.makeTunnel().token.split(separator: ".")[0]
                        #expect(Self.decoded(head).contains(#""kid":"of-the-file""#))
                    }
                }
            },
            SettingCase("auth.api-key") {
                let key = "cvk_another-key-from-the-environment"
                try await EdgeUnderTest.run(environment: ["CULVERT_AUTH_API_KEY": key]) { edge in
                    let new = try await edge.call("GET", "tunnels/list", key: key)
                    #expect(new.status == 200)
                    let old = try await edge.call("GET", "tunnels/list")
                    #expect(old.status == 401)
                }
            },
            SettingCase("auth.signing-key") {
                try await EdgeUnderTest.run(environment: ["CULVERT_AUTH_SIGNING_KEY": Self.signingKey]) { edge in
                    let tunnel = try await edge.makeTunnel()
                    #expect(Self.decoded(tunnel.token.split(separator: ".")[0]).contains(#""kid":"environment""#))
                    // An edge with another key does not let its connector in.
                    try await EdgeUnderTest.run { other in
                        let answer = try await other.upgrade(tunnel.tunnelID, token: tunnel.token)
                        #expect(answer["Culvert-Error"] == "invalid_token")
                    }
                }
            },
        ]
    }

    /// Writes a file of API keys of users, by the key its name.
    static func writeKeys(_ keys: [String: String], in folder: URL) throws -> String {
        let records = keys.map { key, name in
            #"{"name":"\#(name)","role":"user","sha256":"\#(Hexadecimal.encode(APIKey.hash(key)))"}"#
        }
        let file = folder.appending(path: "api-keys.json")
        try self.write(#"{"keys":[\#(records.joined(separator: ","))]}"#, to: file)
        return file.path
    }

    /// Writes a file that nobody else can read.
    private static func write(_ text: String, to file: URL) throws {
        try Data(text.utf8).write(to: file)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
    }

    /// The text of one part of a token (RFC 7515 §2: base 64 for URLs, without padding).
    private static func decoded(_ part: Substring) -> String {
        let plain = part.replacing("-", with: "+").replacing("_", with: "/")
        let padding = String(repeating: "=", count: (4 - plain.count % 4) % 4)
        return Data(base64Encoded: plain + padding).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}

extension EdgeUnderTest {
    /// Asks for a connector's upgrade.
    ///
    /// - Parameter without: Fields of a correct request that are left out.
    func upgrade(
        _ tunnelID: String,
        token: String = "",
        without: Set<String> = [],
        fields: [(name: String, value: String)] = []
    ) async throws -> RawAnswer {
        let correct: [(name: String, value: String)] = [
            ("Host", "edge.example"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Protocol", WebSocketHandshake.subprotocol),
            ("Authorization", "Bearer \(token)"),
        ]
        let visitor = try await RawVisitor.connect(to: self.addresses.listen)
        var text = "GET /api/tunnel/connect/\(tunnelID) HTTP/1.1\r\nConnection: Upgrade\r\n"
        for field in correct.filter({ !without.contains($0.name) }) + fields {
            text += "\(field.name): \(field.value)\r\n"
        }
        try await visitor.send(text + "\r\n")
        return try await visitor.answer()
    }
}
