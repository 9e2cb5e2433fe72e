// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import NIOCore
import Synchronization
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

/// What holds of a name after a restart, when the connectors come back with what their tokens say and nothing else is
/// known: the real verifier, authority and registry, in every order.
@Suite("Connectors that return after a restart")
struct ReturningConnectorsTests {
    /// A token of the name, and the owner's word that it carries.
    private struct Returning: Sendable {
        var owner: String
        var policy: TunnelPolicy
        var version: Double
        var token: String
    }

    private static let key = SigningKey(kid: "k", secret: Data(repeating: 7, count: 32).base64EncodedString())

    private let id: TunnelID
    private let open = TunnelPolicy()
    private let guarded = TunnelPolicy { $0.ipDeny = ["203.0.113.0/24"] }
    private let narrow = TunnelPolicy { $0.maxConnections = 3 }

    init() throws {
        self.id = try #require(TunnelID("shop"))
    }

    /// A token that is issued at one time and carries a word that was given at another.
    private func returning(
        _ owner: String,
        _ policy: TunnelPolicy,
        version: Double,
        issuedAt: Double
    ) async throws -> Returning {
        let tokens = try await TunnelTokens(keys: [Self.key], now: { Date(timeIntervalSince1970: issuedAt) })
        let specification = TunnelSpecification(
            id: self.id,
            name: "shop",
            owner: owner,
            policy: policy,
            createdAt: Date(timeIntervalSince1970: version),
            version: version
        )
        let (token, _) = try await tokens.issue(for: specification, edge: "http://e", lifetime: 1_000)
        return Returning(owner: owner, policy: policy, version: version, token: token)
    }

    private func restarted() async throws -> (InMemoryTunnelRegistry, TunnelAuthority) {
        let tokens = try await TunnelTokens(keys: [Self.key], now: { Date(timeIntervalSince1970: 500) })
        let registry = InMemoryTunnelRegistry()
        return (registry, TunnelAuthority(registry: registry, tokens: tokens))
    }

    private static func orders<Element>(of elements: [Element]) -> [[Element]] {
        guard !elements.isEmpty else { return [[]] }
        return elements.indices.flatMap { index -> [[Element]] in
            var rest = elements
            let first = rest.remove(at: index)
            return Self.orders(of: rest).map { [first] + $0 }
        }
    }

    /// Lets four return in an order, and holds the tunnel to the latest word of those that are back.
    ///
    /// - Parameter forgetting: Whether the tunnel is forgotten after each, as one without a connector is.
    private func walk(_ order: [Returning], forgetting: Bool) async throws {
        let (registry, authority) = try await self.restarted()
        var latest: Returning?
        for returning in order {
            let before = registry.tunnel(self.id)
            let decision = await authority.authorise(tunnelID: "shop", token: returning.token)
            if returning.version > latest?.version ?? -1 { latest = returning }
            let expected = try #require(latest)
            let note: Comment = "order \(order.map { "\($0.owner) \($0.version)" })"
            let isRefused = (try? decision.get()) == nil
            #expect(isRefused == (returning.owner != expected.owner), note)
            if forgetting, isRefused {
                #expect(registry.tunnel(self.id) == nil, note)
                continue
            }
            let tunnel = try #require(registry.tunnel(self.id), note)
            #expect(tunnel.owner == expected.owner, note)
            #expect(tunnel.policy == expected.policy, note)
            #expect(tunnel.version == expected.version, note)
            // Whoever served it for an earlier owner does so no longer.
            #expect(before == nil || (before === tunnel) != before?.isDeleted, note)
            if forgetting {
                #expect(await registry.remove(self.id, keepingNameFor: .hours(1)) != nil)
                _ = tunnel.close(isDeleted: false)
            }
        }
        let last = try #require(latest)
        #expect(last.owner == "bob")
        #expect(last.policy == self.guarded)
    }

    @Test("In each of 24 orders of four, the present owner and the newest policy hold", arguments: [false, true])
    func everyOrder(forgetting: Bool) async throws {
        // Ann gave the name up and Bob took it, narrowed it, and then kept a network out.
        let four = [
            try await self.returning("ann", self.open, version: 100, issuedAt: 100),
            try await self.returning("bob", self.open, version: 200, issuedAt: 200),
            // Renewed since: later than all others, with an earlier word.
            try await self.returning("bob", self.narrow, version: 250, issuedAt: 450),
            try await self.returning("bob", self.guarded, version: 300, issuedAt: 300),
        ]
        let orders = Self.orders(of: four)
        #expect(orders.count == 24)
        for order in orders { try await self.walk(order, forgetting: forgetting) }
    }

    @Test("Four owners one after the other: in each order the last one holds, however late the others were renewed")
    func fourOwners() async throws {
        let four = [
            try await self.returning("ann", self.open, version: 100, issuedAt: 480),
            try await self.returning("carol", self.narrow, version: 150, issuedAt: 470),
            try await self.returning("ann", self.narrow, version: 200, issuedAt: 460),
            try await self.returning("bob", self.guarded, version: 300, issuedAt: 300),
        ]
        for order in Self.orders(of: four) { try await self.walk(order, forgetting: false) }
    }

    @Test("Two words of the same instant are decided alike in both orders")
    func sameInstant() async throws {
        let ann = try await self.returning("ann", self.open, version: 100, issuedAt: 100)
        let bob = try await self.returning("bob", self.guarded, version: 100, issuedAt: 100)
        for order in [[ann, bob], [bob, ann]] {
            let (registry, authority) = try await self.restarted()
            for returning in order { _ = await authority.authorise(tunnelID: "shop", token: returning.token) }
            #expect(registry.tunnel(self.id)?.owner == "bob")
        }
    }

    @Test("A token of an earlier kind of tunnel serves nothing of the present one, in either order")
    func otherKind() async throws {
        let specification = { (form: TunnelForm, version: Double) in
            let createdAt = Date(timeIntervalSince1970: version)
            return TunnelSpecification(
                id: self.id,
                owner: "ann",
                policy: self.open,
                form: form,
                createdAt: createdAt,
                version: version
            )
        }
        let (web, raw) = (specification(.http, 100), specification(TunnelForm(kind: .tcp, port: 20_000), 200))
        for isWebFirst in [true, false] {
            let registry = InMemoryTunnelRegistry()
            let former = isWebFirst ? try await registry.restore(web, issuedAt: 100) { true } : nil
            let present = try await registry.restore(raw, issuedAt: 200) { true }
            #expect(former?.isDeleted ?? true)
            await #expect(throws: TunnelRegistryError.ended) {
                try await registry.restore(web, issuedAt: 100) { true }
            }
            #expect(registry.tunnel(self.id) === present)
            // Nor while nobody serves it, and only its name is remembered.
            #expect(await registry.remove(self.id, keepingNameFor: .hours(1)) != nil)
            await #expect(throws: TunnelRegistryError.ended) {
                try await registry.restore(web, issuedAt: 100) { true }
            }
        }
    }

    @Test("A token that ends while its tunnel is being made makes none")
    func endedMeanwhile() async throws {
        let registry = InMemoryTunnelRegistry()
        let specification = TunnelSpecification(id: self.id, owner: "ann", policy: self.open, createdAt: Date())
        await #expect(throws: TunnelRegistryError.ended) {
            try await registry.restore(specification, issuedAt: 0) { false }
        }
        #expect(registry.tunnel(self.id) == nil)
    }

    @Test("An owner's word is later than the one before it, though the clock went back")
    func clock() throws {
        let specification = TunnelSpecification(
            id: self.id,
            owner: "ann",
            policy: self.open,
            createdAt: Date(timeIntervalSince1970: 100)
        )
        let tunnel = Tunnel(specification)
        tunnel.change(to: self.guarded, at: 50)
        #expect(tunnel.version > 100)
        tunnel.adopt(specification)
        #expect(tunnel.policy == self.guarded)
    }
}
