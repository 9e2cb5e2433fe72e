// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Testing

@testable import EdgeControl
@testable import EdgeTunnels

@Suite("What edges show each other")
struct LinkTokensTests {
    private let key = SigningKey(kid: "k", secret: Data(repeating: 7, count: 32).base64EncodedString())
    private let one = PodID("aaaaaaaaaa")
    private let other = PodID("bbbbbbbbbb")

    private func tokens(_ key: SigningKey? = nil, at time: Double = 1_000_000) async throws -> LinkTokens {
        try await LinkTokens(keys: [key ?? self.key], now: { Date(timeIntervalSince1970: time) })
    }

    @Test("A token opens a link to the edge that it names, from the edge that it names, for half a minute")
    func life() async throws {
        let token = try await self.tokens().issue(from: self.one, to: self.other)
        #expect(try await self.tokens().verify(token, shownTo: self.other) == .success(self.one))
        #expect(try await self.tokens().verify(token, shownTo: PodID("cccccccccc")) == .failure(.otherAudience))
        // Clocks may be half a minute apart.
        #expect(try await self.tokens(at: 1_000_059).verify(token, shownTo: self.other) == .success(self.one))
        #expect(try await self.tokens(at: 1_000_061).verify(token, shownTo: self.other) == .failure(.expired))
        #expect(try await self.tokens(at: 999_969).verify(token, shownTo: self.other) == .failure(.notYetValid))
        #expect(try await self.tokens().verify(nil, shownTo: self.other) == .failure(.missing))
        #expect(try await self.tokens().verify(token + "A", shownTo: self.other) == .failure(.signature))
    }

    @Test("No token of a tunnel opens a link, and no link's opens a tunnel, although the key is the same")
    func purposes() async throws {
        let id = try #require(TunnelID("my-app"))
        let tunnels = try await TunnelTokens(keys: [self.key])
        let specification = TunnelSpecification(id: id, owner: "ann", policy: TunnelPolicy(), createdAt: Date())
        let tunnel = try await tunnels.issue(for: specification, edge: "http://edge", lifetime: 60).token
        let access = try await tunnels.issueAccess(to: specification, edge: "http://edge", lifetime: 60).token
        let links = try await LinkTokens(keys: [self.key])
        for token in [tunnel, access] {
            #expect(await links.verify(token, shownTo: self.other) == .failure(.signature))
        }
        let link = try await links.issue(from: self.one, to: self.other)
        guard case .failure(let refusal) = await tunnels.verify(link, for: id) else { throw CancellationError() }
        #expect(refusal == .signature)
        let stranger = SigningKey(kid: "k", secret: Data(repeating: 8, count: 32).base64EncodedString())
        #expect(try await self.tokens(stranger).verify(link, shownTo: self.other) == .failure(.signature))
    }
}
