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
        #expect(try await self.tokens().verify(token, shownTo: self.other).map(\.pod) == .success(self.one))
        #expect(
            try await self.tokens().verify(token, shownTo: PodID("cccccccccc")).map(\.pod) == .failure(.otherAudience)
        )
        // Clocks may be half a minute apart.
        #expect(
            try await self.tokens(at: 1_000_059).verify(token, shownTo: self.other).map(\.pod) == .success(self.one)
        )
        #expect(
            try await self.tokens(at: 1_000_061).verify(token, shownTo: self.other).map(\.pod) == .failure(.expired)
        )
        #expect(
            try await self.tokens(at: 999_969).verify(token, shownTo: self.other).map(\.pod) == .failure(.notYetValid)
        )
        #expect(try await self.tokens().verify(nil, shownTo: self.other).map(\.pod) == .failure(.missing))
        #expect(try await self.tokens().verify(token + "A", shownTo: self.other).map(\.pod) == .failure(.signature))
    }

    @Test("The key of a link's token is known, so that the link ends with it, and goes on while another one signs")
    func keys() async throws {
        let tokens = try await self.tokens()
        let shown = try await tokens.verify(tokens.issue(from: self.one, to: self.other), shownTo: self.other).get()
        #expect(tokens.accepts(shown.signedBy))
        let next = SigningKey(kid: "next", secret: Data(repeating: 8, count: 32).base64EncodedString())
        try await tokens.replaceKeys(with: [next, self.key])
        #expect(tokens.accepts(shown.signedBy))
        try await tokens.replaceKeys(with: [next])
        #expect(!tokens.accepts(shown.signedBy))
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
            #expect(await links.verify(token, shownTo: self.other).map(\.pod) == .failure(.signature))
        }
        let link = try await links.issue(from: self.one, to: self.other)
        guard case .failure(let refusal) = await tunnels.verify(link, for: id) else { throw CancellationError() }
        #expect(refusal == .signature)
        let stranger = SigningKey(kid: "k", secret: Data(repeating: 8, count: 32).base64EncodedString())
        #expect(try await self.tokens(stranger).verify(link, shownTo: self.other).map(\.pod) == .failure(.signature))
    }
}
