// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import NIOCore

/// Names that stay somebody's although no tunnel has them: a URL that people still visit is not to become a stranger's.
///
/// Bounded: the leases that end first are given up first.
struct NameLeases: Sendable {
    /// What is known of a name that no tunnel has.
    struct Lease: Sendable {
        /// Whose it is.
        var owner: String
        /// When its owner took it, or last changed the policy, in seconds since 1970.
        var version: Double
        /// The policy that its tunnel had, so that an older token does not bring back an older one.
        var policy: TunnelPolicy
        /// What its tunnel carried, and where visitors found it.
        var form: TunnelForm
        fileprivate var end: NIODeadline
    }

    private let capacity: Int
    private var leases: [TunnelID: Lease] = [:]

    /// Makes an empty table.
    ///
    /// - Parameter capacity: The most names that are kept.
    init(capacity: Int = 65_536) {
        self.capacity = max(1, capacity)
    }

    /// The names that are kept, among them those whose lease has ended but that nobody asked for since.
    var count: Int { self.leases.count }

    /// The lease of a name, if there is one.
    func lease(of id: TunnelID, now: NIODeadline) -> Lease? {
        self.leases[id].flatMap { $0.end > now ? $0 : nil }
    }

    /// Keeps the name of a tunnel for its owner.
    mutating func keep(_ tunnel: TunnelSpecification, until end: NIODeadline, now: NIODeadline) {
        if self.leases[tunnel.id] == nil, self.leases.count >= self.capacity { self.makeRoom(now: now) }
        self.leases[tunnel.id] = Lease(
            owner: tunnel.owner,
            version: tunnel.version,
            policy: tunnel.policy,
            form: tunnel.form,
            end: end
        )
    }

    /// Gives a name free.
    mutating func release(_ id: TunnelID) {
        self.leases[id] = nil
    }

    private mutating func makeRoom(now: NIODeadline) {
        self.leases = self.leases.filter { $0.value.end > now }
        guard self.leases.count >= self.capacity else { return }
        let first = self.leases.sorted { $0.value.end < $1.value.end }.prefix(max(1, self.capacity / 8))
        for (id, _) in first { self.leases[id] = nil }
    }
}
