// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import NIOCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The tunnels that this edge serves.
///
/// Looking one up is synchronous and cheap, from any thread, because every request does it. What changes the set may
/// wait for other edges, and so is asynchronous.
package protocol TunnelRegistry: Sendable {
    /// The tunnel of that id, if this edge serves it.
    func tunnel(_ id: TunnelID) -> Tunnel?

    /// Whether ``find(_:)`` may know more tunnels than ``tunnel(_:)``.
    var looksFurther: Bool { get }

    /// The tunnel of that id, wherever it is known.
    ///
    /// - Throws: ``TunnelRegistryError/unavailable``.
    func find(_ id: TunnelID) async throws -> Tunnel?

    /// Finds out how a tunnel does at other edges, before somebody is told.
    ///
    /// - Returns: How many sessions of it they have, as far as that is known.
    @discardableResult
    func lookAround(for tunnel: Tunnel) async -> [OtherEdgeSessions]

    /// Adds a tunnel; from then on its name is its owner's.
    ///
    /// - Throws: ``TunnelRegistryError``.
    func create(_ specification: TunnelSpecification) async throws -> Tunnel

    /// The tunnel of a valid token: the one that is there, or a new one made from what the token says.
    ///
    /// Of what different tokens say, the later word counts (``TunnelSpecification/outranks(_:of:)``): the tunnel takes
    /// its policy, and if that is another owner's, the earlier owner's tunnel is ended.
    ///
    /// - Parameters:
    ///   - specification: What the token says.
    ///   - issuedAt: When it was issued, in seconds since 1970.
    ///   - isValid: Asked while nothing else can be changed; if it is no longer so, nothing is made.
    /// - Throws: ``TunnelRegistryError``.
    func restore(
        _ specification: TunnelSpecification,
        issuedAt: Double,
        provided isValid: @Sendable () -> Bool
    ) async throws -> Tunnel

    /// Learns from those who remember whether a tunnel and its tokens are what they seem here, for what needs to be sure.
    ///
    /// - Parameters:
    ///   - tunnel: The tunnel, which takes its owner's latest word.
    ///   - issuedAt: When the token was issued that is in question, in seconds since 1970; `nil` if it is none.
    /// - Throws: ``TunnelRegistryError``: the token has ended, the name is another owner's, or nobody answers.
    func confirm(_ tunnel: Tunnel, issuedAt: Double?) async throws

    /// Gives a tunnel the policy that its owner wants now.
    ///
    /// - Parameters:
    ///   - policy: The policy.
    ///   - tunnel: The tunnel.
    ///   - now: The time in seconds since 1970.
    /// - Throws: ``TunnelRegistryError/unavailable``; then nothing was changed.
    func change(_ tunnel: Tunnel, to policy: TunnelPolicy, at now: Double) async throws

    /// Has everybody who lets connectors in know that tokens end.
    ///
    /// - Throws: ``TunnelRegistryError/unavailable``; then nothing was changed.
    func end(_ cutoff: TokenCutoffs.Cutoff, of tunnel: Tunnel) async throws

    /// Has everybody who lets visitors in know that the access tokens of a tunnel have ended.
    ///
    /// - Parameters:
    ///   - issuedUntil: The last issue time that is affected, in seconds since 1970.
    ///   - tunnel: The tunnel.
    /// - Throws: ``TunnelRegistryError/unavailable``; then nothing was changed.
    func endAccess(issuedUntil: Double, to tunnel: Tunnel) async throws

    /// Removes a tunnel that its owner does not want any more, and has everybody know that its tokens end.
    ///
    /// - Returns: Whether there was such a tunnel: of several calls at once, one is told so.
    /// - Throws: ``TunnelRegistryError/unavailable``; then nothing was changed.
    @discardableResult
    func delete(_ tunnel: Tunnel, ending cutoff: TokenCutoffs.Cutoff) async throws -> Bool

    /// A session has joined a tunnel, or left it.
    func sessionsChanged(of tunnel: Tunnel)

    /// Tunnels in the order of their ids.
    ///
    /// - Parameters:
    ///   - owner: The API key whose tunnels are wanted; `nil` for all.
    ///   - cursor: The last id of the page before.
    ///   - limit: The most tunnels to return.
    func list(owner: String?, after cursor: TunnelID?, limit: Int) async -> TunnelPage

    /// Removes a tunnel.
    ///
    /// - Parameters:
    ///   - id: The tunnel.
    ///   - lease: For how long nobody but its owner can have its name; zero gives it free at once.
    /// - Returns: The tunnel, which the caller then closes; `nil` if there was none.
    func remove(_ id: TunnelID, keepingNameFor lease: TimeAmount) async -> Tunnel?
}

/// Some tunnels, in the order of their ids.
package struct TunnelPage: Sendable {
    /// The tunnels.
    package var tunnels: [Tunnel]
    /// What other edges have of them.
    package var elsewhere: [TunnelID: [OtherEdgeSessions]]
    /// Whether there may be others that can't be known now.
    package var isPartial: Bool

    /// Makes a page.
    package init(_ tunnels: [Tunnel], elsewhere: [TunnelID: [OtherEdgeSessions]] = [:], isPartial: Bool = false) {
        self.tunnels = tunnels
        self.elsewhere = elsewhere
        self.isPartial = isPartial
    }
}

/// A registry that knows what it knows, and asks nobody.
extension TunnelRegistry {
    package var looksFurther: Bool { false }

    package func find(_ id: TunnelID) async throws -> Tunnel? { self.tunnel(id) }

    @discardableResult
    package func lookAround(for tunnel: Tunnel) async -> [OtherEdgeSessions] { [] }

    package func confirm(_ tunnel: Tunnel, issuedAt: Double?) async throws {}

    package func change(_ tunnel: Tunnel, to policy: TunnelPolicy, at now: Double) async throws {
        tunnel.change(to: policy, at: now)
    }

    package func end(_ cutoff: TokenCutoffs.Cutoff, of tunnel: Tunnel) async throws {}

    package func endAccess(issuedUntil: Double, to tunnel: Tunnel) async throws {}

    @discardableResult
    package func delete(_ tunnel: Tunnel, ending cutoff: TokenCutoffs.Cutoff) async throws -> Bool {
        await self.remove(tunnel.id, keepingNameFor: .zero) != nil
    }

    package func sessionsChanged(of tunnel: Tunnel) {}

    /// The tunnel of a token that can't have ended meanwhile.
    package func restore(_ specification: TunnelSpecification) async throws -> Tunnel {
        try await self.restore(specification, issuedAt: specification.version) { true }
    }
}

/// What a tunnel is made from.
package struct TunnelSpecification: Sendable {
    /// The id.
    package var id: TunnelID
    /// The name that was asked for, if any.
    package var name: String?
    /// Who owns the tunnel: the owner of the API key that it was made with.
    package var owner: String
    /// The policy.
    package var policy: TunnelPolicy
    /// What it carries, and where visitors find it.
    package var form: TunnelForm
    /// When the tunnel was first made.
    package var createdAt: Date
    /// When the owner took the name, or last changed the policy, in seconds since 1970.
    package var version: Double

    /// Describes a tunnel; what has no version is as old as the tunnel.
    package init(
        id: TunnelID,
        name: String? = nil,
        owner: String,
        policy: TunnelPolicy,
        form: TunnelForm = .http,
        createdAt: Date,
        version: Double? = nil
    ) {
        self.id = id
        self.name = name
        self.owner = owner
        self.policy = policy
        self.form = form
        self.createdAt = createdAt
        self.version = version ?? createdAt.timeIntervalSince1970
    }

    /// Whether this is a later word on the name than another one.
    ///
    /// Needs no memory: whatever is met first, the latest that was met counts. Two of the same instant are ordered by
    /// their owners, so that every edge decides alike.
    func outranks(_ version: Double, of owner: String) -> Bool {
        (self.version, self.owner) > (version, owner)
    }

    /// Whether the name is kept when the tunnel is forgotten: nobody asks for one that was drawn at random, but an older
    /// token may tell an older policy.
    package var isWorthALease: Bool { self.name != nil || self.policy != TunnelPolicy() || self.form != .http }
}

/// Why a tunnel could not be added.
package enum TunnelRegistryError: Error, Equatable {
    /// The id is in use, or somebody else's.
    case nameTaken
    /// What allowed to restore the tunnel has ended meanwhile.
    case ended
    /// The owner has as many tunnels as it may have.
    case tooManyTunnels(limit: Int)
    /// Who would have to know is away: nothing was changed.
    case unavailable
}
