// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import NIOCore

/// Names that stay somebody's although no tunnel has them: a URL that people still visit is not to become a stranger's.
///
/// Bounded: the leases that end first are given up first.
struct NameLeases: Sendable {
    private struct Lease {
        var owner: String
        var end: NIODeadline
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

    /// Who holds a name; `nil` for nobody.
    func holder(of id: TunnelID, now: NIODeadline) -> String? {
        self.leases[id].flatMap { $0.end > now ? $0.owner : nil }
    }

    /// Keeps a name for its owner.
    mutating func keep(_ id: TunnelID, for owner: String, until end: NIODeadline, now: NIODeadline) {
        if self.leases[id] == nil, self.leases.count >= self.capacity { self.makeRoom(now: now) }
        self.leases[id] = Lease(owner: owner, end: end)
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
