// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import JWTKit
import Logging
import Mux
import NIOCore
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

/// Whatever is wrong with a token, whoever sends it learns only that it opens nothing: not why from the answer, and not
/// from how long it takes.
@Suite("Refusals of tokens", .serialized)
struct TokenRefusalTests {
    private static let tries = 200
    /// How far apart the shortest times of two kinds may be; over a network even ten times this drowns.
    private static let largestRatio = 6.0

    private let id = "my-app"

    private func header(kid: String) -> JWTHeader {
        var header = JWTHeader()
        header.kid = kid
        return header
    }

    private func signed(
        _ claims: TunnelTokenClaims,
        secret: UInt8 = 7,
        kid: String = "k",
        algorithm: DigestAlgorithm = .sha256
    ) async throws -> String {
        let length = algorithm == .sha256 ? 32 : 64
        let key = HMACKey(from: Array(repeating: secret, count: length))
        return try await JWTKeyCollection().add(hmac: key, digestAlgorithm: algorithm)
            .sign(claims, header: self.header(kid: kid))
    }

    /// A token of each kind that is refused, by what is wrong with it.
    private func badTokens() async throws -> [(name: String, refusal: TokenRefusal, token: String)] {
        let now = Date().timeIntervalSince1970
        let good = TunnelTokenClaims(sub: self.id, edge: "http://e", exp: now + 600, iat: now, jti: "j", own: "alice")
        var (expired, early, other) = (good, good, good)
        expired.exp = now - 1
        early.nbf = now + 600
        other.sub = "other-app"
        let valid = try await self.signed(good)
        let none = Data(#"{"alg":"none","kid":"k","typ":"JWT"}"#.utf8).base64EncodedString()
            .replacing("=", with: "").replacing("+", with: "-").replacing("/", with: "_")
        return [
            ("wrong signature", .signature, try await self.signed(good, secret: 8)),
            ("alg none", .algorithm, "\(none).\(valid.split(separator: ".")[1])."),
            ("other algorithm", .algorithm, try await self.signed(good, algorithm: .sha512)),
            ("expired", .expired, try await self.signed(expired)),
            ("not yet valid", .notYetValid, try await self.signed(early)),
            ("other tunnel", .otherTunnel, try await self.signed(other)),
            ("revoked", .revoked, valid),
            ("unknown kid", .unknownKey, try await self.signed(good, kid: "x")),
            ("oversized", .oversized, valid + String(repeating: "A", count: TunnelTokens.maximumLength)),
            ("malformed", .malformed, "no-token-at-all"),
        ]
    }

    @Test("Ten kinds of bad tokens get the same answer, byte for byte but for the request id, in similar time")
    func oneAnswer() async throws {
        let secret = Data(repeating: 7, count: 32).base64EncodedString()
        let tokens = try await TunnelTokens(keys: [SigningKey(kid: "k", secret: secret)])
        let readiness = Readiness()
        readiness.becomeReady()
        let endpoint = TokenConnectEndpoint(
            registry: InMemoryTunnelRegistry(),
            tokens: tokens,
            readiness: readiness,
            recorder: EdgeMetrics(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        let kinds = try await self.badTokens()
        let tunnelID = try #require(TunnelID(self.id))
        tokens.endTokens(of: tunnelID)
        for kind in kinds {
            #expect(await tokens.verify(kind.token, for: tunnelID) == .failure(kind.refusal), "\(kind.name)")
        }

        var answers = Set<String>()
        var durations: [String: [Duration]] = [:]
        // In turn, so that whatever else the machine does meets all kinds alike.
        for _ in 0..<Self.tries {
            for kind in kinds {
                let (answer, duration) = try await self.ask(endpoint, kind.token)
                answers.insert(answer)
                durations[kind.name, default: []].append(duration)
            }
        }
        #expect(answers.count == 1)
        #expect(answers.first?.contains("invalid_token") == true)

        // Whatever else the machine does only adds to what a refusal takes: a kind that hops to another thread waits for a
        // processor, on a busy machine most times.
        let shortest = durations.compactMapValues { $0.min() }
        let ordered = shortest.sorted { $0.value < $1.value }
        print("refusals:", ordered.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
        let (least, most) = (try #require(ordered.first), try #require(ordered.last))
        #expect(most.value < least.value * Self.largestRatio, "\(least.key) and \(most.key)")
    }

    private func ask(_ endpoint: TokenConnectEndpoint, _ token: String) async throws -> (String, Duration) {
        let requestID = RequestID()
        let start = ContinuousClock.now
        let decision = await endpoint.decide(
            tunnelID: self.id,
            fields: [
                ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Key", WebSocketHandshake.makeKey()),
                ("Sec-WebSocket-Protocol", WebSocketHandshake.subprotocol), ("Authorization", "Bearer \(token)"),
            ],
            remoteAddress: nil,
            requestID: requestID
        )
        let duration = ContinuousClock.now - start
        guard case .refuse(let response, let body) = decision else {
            throw TunnelRegistryError.nameTaken
        }
        let text = "\(response) \(String(buffer: body))".replacing(requestID.description, with: "")
        return (text, duration)
    }
}
