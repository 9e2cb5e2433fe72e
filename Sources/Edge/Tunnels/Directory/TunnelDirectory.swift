// SPDX-License-Identifier: Apache-2.0

import ControlAPI

/// What several edges, or one edge before and after its restart, know together.
///
/// It is asked and told, and may be away at any time. Sessions in it are a set, not a lock: several edges may hold sessions
/// of one tunnel. What a token says stays the source of truth; what the directory adds is what tokens can't say: which of
/// them have ended, whose a name is that no connector has, what was used up.
///
/// Every function but ``take(_:from:limit:)`` and ``spend(_:from:limit:)`` may be repeated when its answer was lost.
package protocol TunnelDirectory: Sendable {
    /// Whether it can be asked now.
    var isUp: Bool { get }

    // MARK: Tunnels

    /// Takes a name for its owner.
    ///
    /// - Parameters:
    ///   - specification: The tunnel.
    ///   - limit: The most tunnels of one owner.
    /// - Throws: ``TunnelDirectoryError``, as every function does.
    func create(_ specification: TunnelSpecification, limit: Int) async throws -> DirectoryCreation

    /// Takes up the tunnel of a valid token, and the session that serves it.
    func join(_ arrival: DirectoryArrival) async throws -> DirectoryAdmission

    /// A session serves a tunnel no longer.
    ///
    /// - Parameter isLast: Whether the pod has no other session of the tunnel.
    func leave(_ place: DirectoryPlace, of id: TunnelID, isLast: Bool) async throws

    /// Takes the policy that the owner gives now.
    ///
    /// - Returns: The version that the policy got; `nil` if there is no such tunnel of this owner.
    func change(_ specification: TunnelSpecification) async throws -> Double?

    /// What is known of a tunnel.
    func find(_ id: TunnelID) async throws -> DirectoryEntry?

    /// Tunnels in the order of their ids.
    func list(owner: String?, after cursor: TunnelID?, limit: Int) async throws -> [DirectoryEntry]

    /// Ends tokens of a tunnel.
    func end(_ cutoff: TokenCutoffs.Cutoff, of id: TunnelID) async throws

    /// Ends the access tokens of a tunnel that were issued up to a moment, in seconds since 1970.
    func endAccess(issuedUntil: Double, of id: TunnelID) async throws

    /// Removes a tunnel of an owner, and ends its tokens and access tokens; those of another owner's tunnel stay.
    ///
    /// The cut-off that all are told of reaches to the tunnel's version at least: the clock of who made it may be ahead.
    ///
    /// - Returns: Whether there was such a tunnel.
    @discardableResult
    func remove(_ id: TunnelID, of owner: String, ending cutoff: TokenCutoffs.Cutoff) async throws -> Bool

    /// Removes tunnels that have had no session for long; their owners keep the names for a while.
    ///
    /// - Parameter limit: The most that are removed at a time.
    /// - Returns: Those that were removed.
    func removeIdle(limit: Int) async throws -> [TunnelID]

    // MARK: Ports

    /// The port that is a tunnel's at all edges; `nil` if it has none.
    func port(of specification: TunnelSpecification) async throws -> UInt16?

    /// Makes a port a tunnel's at all edges, in place of the one that it has.
    ///
    /// A port stays its tunnel's as a name does: while the tunnel is known, and while its name is kept.
    ///
    /// - Parameters:
    ///   - port: The port.
    ///   - specification: The tunnel.
    ///   - isReturning: Whether a token says that the port is the tunnel's: of two tunnels of which that is so, the one
    ///     with the later word has it.
    /// - Returns: Whether it is the tunnel's now; otherwise it is another one's.
    func claim(_ port: UInt16, for specification: TunnelSpecification, isReturning: Bool) async throws -> Bool

    /// The ports of tunnels that have sessions, at whatever edge.
    func onlinePorts() async throws -> [UInt16: TunnelID]

    // MARK: Pods

    /// Renews a pod's lease.
    func beat(_ pod: PodID, info: String) async throws -> DirectoryBeat

    /// Takes away what a pod held, some of it at a time.
    ///
    /// - Parameters:
    ///   - pod: A pod whose lease has ended, or the one that asks.
    ///   - isLeaving: Whether the pod itself says that it is over.
    /// - Returns: How many tunnels it was taken away from; `nil` for a pod that lives.
    func reap(_ pod: PodID, isLeaving: Bool, limit: Int) async throws -> Int?

    // MARK: What is used up

    /// Uses a one-time code of an API key.
    ///
    /// - Returns: Whether neither it nor a later one was used before.
    func useCode(step: UInt64, ofKey name: String) async throws -> Bool

    /// Takes tokens from a bucket, as many of those wanted as there are; fewer than none gives some back.
    func take(_ wanted: Int, from bucket: String, limit: RateLimit) async throws -> DirectoryGrant

    /// Takes tokens from a bucket that were used already: what it does not have is owed, as much as it holds at most.
    ///
    /// - Returns: How many are left; fewer than none are owed.
    func spend(_ count: Int, from bucket: String, limit: RateLimit) async throws -> Double
}

/// What was done at one edge and concerns all.
package enum DirectoryEvent: Equatable, Sendable {
    /// A tunnel was deleted, with the tokens that were issued until then.
    case deleted(TunnelID, issuedUntil: Double)
    /// Tokens of a tunnel end.
    case cut(TunnelID, TokenCutoffs.Cutoff)
    /// Access tokens of a tunnel have ended.
    case accessEnded(TunnelID, issuedUntil: Double)
    /// A tunnel has another policy.
    case changed(TunnelID, version: Double)
    /// A name is another owner's, who has spoken later: what the one before has under it is over.
    ///
    /// An edge of an earlier version does not say when.
    case moved(TunnelID, owner: String, version: Double?)
    /// A tunnel was forgotten, since nothing was connected to it for long.
    case forgotten(TunnelID)
    /// An edge has come, or is back, and says this of itself.
    case podCame(PodID, info: String)
}

/// Why the directory did not answer.
package enum TunnelDirectoryError: Error, Equatable, CustomStringConvertible {
    /// It is away, or fails; whether it did what it was asked is not known.
    case unavailable(String)

    package var description: String {
        switch self {
        case .unavailable(let why): "the registry is away: \(why)"
        }
    }
}

/// Where a session is.
package struct DirectoryPlace: Hashable, Sendable {
    /// The edge that has it.
    package var pod: PodID
    /// Which of the tunnel's sessions it is, wherever it is.
    package var slot: String

    /// Names a place.
    package init(pod: PodID, slot: String) {
        self.pod = pod
        self.slot = slot
    }
}

/// A connector that was let in with a token.
package struct DirectoryArrival: Sendable {
    /// What the token says.
    package var specification: TunnelSpecification
    /// When it was issued, in seconds since 1970.
    package var issuedAt: Double
    /// Where its session is; `nil` while there is none yet.
    package var place: DirectoryPlace?
    /// The most sessions of the tunnel.
    package var limit: Int

    /// Describes an arrival.
    package init(
        _ specification: TunnelSpecification,
        issuedAt: Double,
        place: DirectoryPlace? = nil,
        limit: Int = .max
    ) {
        self.specification = specification
        self.issuedAt = issuedAt
        self.place = place
        self.limit = limit
    }
}

/// What became of a new tunnel.
package enum DirectoryCreation: Equatable, Sendable {
    case created
    /// The owner has it already.
    case own
    /// The name is somebody else's.
    case taken
    /// The owner has as many tunnels as it may have.
    case limit
    /// It would be older than the end of the tokens of one that had its id; with a later version it is another one.
    case ended(TokenEnds)
}

/// What is known of a tunnel.
package struct DirectoryEntry: Sendable {
    /// The tunnel, by the latest word of its owner.
    package var specification: TunnelSpecification
    /// The ends of its tokens.
    package var ends: TokenEnds
    /// Where its sessions are.
    package var places: Set<DirectoryPlace>

    /// Puts together what is known.
    package init(
        _ specification: TunnelSpecification,
        ends: TokenEnds = TokenEnds(),
        places: Set<DirectoryPlace> = []
    ) {
        self.specification = specification
        self.ends = ends
        self.places = places
    }
}

/// What became of an arrival.
package enum DirectoryAdmission: Sendable {
    /// It is in.
    case joined(DirectoryEntry)
    /// Its token has ended.
    case ended(TokenEnds)
    /// The name is somebody else's.
    case taken
    /// The tunnel has as many sessions as it may have.
    case full
}

/// What a pod learns when it renews its lease.
package struct DirectoryBeat: Equatable, Sendable {
    /// Whether its lease had not ended: otherwise others may have taken away what it holds.
    package var hadLease: Bool
    /// The pods that live, and what they say of themselves.
    package var live: [PodID: String]
    /// The pods whose lease has ended.
    package var dead: Set<PodID>

    /// Puts together what was learned.
    package init(hadLease: Bool, live: [PodID: String], dead: Set<PodID>) {
        self.hadLease = hadLease
        self.live = live
        self.dead = dead
    }
}

/// What a bucket gave.
package struct DirectoryGrant: Equatable, Sendable {
    /// How many tokens.
    package var granted: Int
    /// How many are left, with the fraction that has come back.
    package var left: Double

    /// Notes what a bucket gave.
    package init(granted: Int, left: Double) {
        self.granted = granted
        self.left = left
    }
}

/// For how long a directory remembers what.
package struct DirectoryTimes: Equatable, Sendable {
    /// A pod that has not renewed its lease for so long counts as dead, in milliseconds.
    package var lease = 10_000
    /// A tunnel without a session is forgotten after so long, in milliseconds.
    package var idleExpiry = 86_400_000
    /// A forgotten tunnel's name stays its owner's for so long, in milliseconds.
    package var nameLease = 7 * 86_400_000
    /// No token lives longer, in seconds.
    package var tokenLife = 31 * 86_400

    /// Sets the usual times.
    package init() {}
}
