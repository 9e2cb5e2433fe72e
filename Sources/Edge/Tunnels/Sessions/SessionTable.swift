// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Which of a connector's connections a session is (protocol B.10).
///
/// A connector keeps its bundle id when it reconnects; so a second session with the same identity means that the first
/// one is dead, whether its TCP connection knows it or not.
struct BundleSlot: Hashable, Sendable {
    /// The 16 random bytes that the connector drew at its start.
    var bundleID: [UInt8]
    /// The number of the connection within the bundle.
    var index: UInt8
}

/// The live sessions of one tunnel: who joins, who is replaced, who takes the next request.
///
/// A value without locks, channels or clocks; ``Tunnel`` owns one behind a lock.
struct SessionTable<Session: Upstream & Sendable>: Sendable {
    /// Whether a session may be given new requests.
    enum Availability: Sendable {
        /// It may.
        case ready
        /// Its peer has yet to show that it is there: only while no other is left (protocol B.9.2).
        case suspect
        /// Its peer has been asked whether it is there, and has not answered: not before it says something. What was sent to
        /// it would be lost with it, and a request that waits can go to another one.
        case silent
        /// It has no connection, and another one may go on with it: not before.
        case suspended
        /// It is about to leave: never.
        case draining
    }

    /// What became of a session that wanted to join.
    enum JoinResult {
        /// It is in. The session it replaces, if any, is already out of the table and has to be closed; the
        /// caller pings those that are probed, to see whether they are still there.
        case joined(replaced: Session?, probed: [Session])
        /// The tunnel has as many sessions as it may have.
        case full
        /// The tunnel has been deleted.
        case closed
    }

    private struct Entry {
        let id: UInt64
        let session: Session
        let loop: ObjectIdentifier
        let slot: BundleSlot?
        var availability: Availability
    }

    private var entries: [Entry] = []
    private var turn = 0

    init() {}

    var count: Int { self.entries.count }

    var sessions: [Session] { self.entries.map(\.session) }

    /// Every session with what tells it from the others of the tunnel, at whatever edge they are.
    ///
    /// - Parameter edge: Whose table this is, for sessions without an identity.
    func slots(of edge: String) -> [(slot: String, session: Session)] {
        self.entries.map { entry in
            let name = entry.slot.map { slot in
                slot.bundleID.map { String(UInt16($0) + 256, radix: 16).dropFirst() }.joined() + ".\(slot.index)"
            }
            return (name ?? "\(edge).\(entry.id)", entry.session)
        }
    }

    /// Of each connector with several sessions here that may be given requests, the last one.
    var crowded: [Session] {
        var last: [[UInt8]: (count: Int, session: Session)] = [:]
        for entry in self.entries where entry.availability == .ready {
            guard let bundle = entry.slot?.bundleID else { continue }
            last[bundle] = (last[bundle]?.count ?? 0, entry.session)
            last[bundle]?.count += 1
        }
        return last.values.filter { $0.count > 1 }.map(\.session)
    }

    /// Whether any session may be given new requests.
    var isAvailable: Bool { self.entries.contains { $0.availability.takesRequests } }

    /// Whether every session that takes no new requests is about to leave.
    var isDraining: Bool { !self.entries.isEmpty && self.entries.allSatisfy { $0.availability == .draining } }

    /// Whether there are sessions that nothing comes from, be it that their connection is lost, and none that is well.
    var isSuspect: Bool {
        self.entries.contains { [.suspect, .silent, .suspended].contains($0.availability) }
            && !self.hasReady(besides: [])
    }

    /// Whether one is silent: its connector is likely to be there again in a moment.
    var isSilent: Bool { self.entries.contains { $0.availability == .silent } }

    /// Adds a session, in place of the one that has the same identity.
    ///
    /// The new session may be here because the connections of the others died, which nothing has told the edge. The others
    /// are suspect until they have answered, so that no request waits for one that is frozen.
    ///
    /// - Parameters:
    ///   - session: The session.
    ///   - slot: Its identity; `nil` replaces nobody.
    ///   - limit: The most sessions that the table may hold.
    mutating func join(_ session: Session, slot: BundleSlot?, limit: Int) -> JoinResult {
        let id = session.id
        let loop = ObjectIdentifier(session.eventLoop)
        let entry = Entry(id: id, session: session, loop: loop, slot: slot, availability: .ready)
        if let slot, let old = self.entries.firstIndex(where: { $0.slot == slot }) {
            let replaced = self.entries[old].session
            self.entries[old] = entry
            return .joined(replaced: replaced, probed: self.unreadyOthers(but: id))
        }
        guard self.entries.count < limit else {
            // A session without a connection holds its place, but not against one that is there.
            guard let lost = self.entries.firstIndex(where: { $0.availability == .suspended }), limit > 0 else {
                return .full
            }
            let replaced = self.entries[lost].session
            self.entries[lost] = entry
            return .joined(replaced: replaced, probed: self.unreadyOthers(but: id))
        }
        self.entries.append(entry)
        return .joined(replaced: nil, probed: self.unreadyOthers(but: id))
    }

    private mutating func unreadyOthers(but id: UInt64) -> [Session] {
        var probed: [Session] = []
        for index in self.entries.indices where self.entries[index].id != id {
            // One that is silent is asked already.
            guard self.entries[index].availability == .ready else { continue }
            self.entries[index].availability = .suspect
            probed.append(self.entries[index].session)
        }
        return probed
    }

    /// Removes a session.
    ///
    /// - Returns: Whether it was still there; a replaced one is not.
    @discardableResult
    mutating func leave(id: UInt64) -> Bool {
        guard let index = self.entries.firstIndex(where: { $0.id == id }) else { return false }
        self.entries.remove(at: index)
        return true
    }

    /// Takes every session out.
    mutating func removeAll() -> [Session] {
        defer { self.entries.removeAll() }
        return self.entries.map(\.session)
    }

    /// Notes that a session became more or less available.
    mutating func setAvailability(_ availability: Availability, id: UInt64) {
        guard let index = self.entries.firstIndex(where: { $0.id == id }) else { return }
        // Draining is for good: a suspicion that clears afterwards does not bring the session back.
        guard self.entries[index].availability != .draining else { return }
        self.entries[index].availability = availability
    }

    /// The numbers of all sessions of the connector that a session is of; that one alone if it has left, or if its
    /// connector has not said who it is.
    func siblings(of id: UInt64) -> [UInt64] {
        guard let slot = self.entries.first(where: { $0.id == id })?.slot else { return [id] }
        return self.entries.filter { $0.slot?.bundleID == slot.bundleID }.map(\.id)
    }

    /// One session of each other connector that a request may go to; `nil` if it is not for this session to know, but for
    /// the first one that its connector has here.
    func otherConnectors(than id: UInt64) -> [Session]? {
        guard let own = self.entries.first(where: { $0.id == id }), own.availability.isConnected else { return nil }
        let isSame = { (one: Entry, other: Entry) in
            one.id == other.id || one.slot != nil && one.slot?.bundleID == other.slot?.bundleID
        }
        let live = self.entries.filter { $0.availability.isConnected }.sorted { $0.id < $1.id }
        guard live.first(where: { isSame($0, own) })?.id == id else { return nil }
        var others: [Entry] = []
        for entry in live where !isSame(entry, own) && !others.contains(where: { isSame($0, entry) }) {
            others.append(entry)
        }
        return others.map(\.session)
    }

    /// Whether a session is there and may be given new requests, or may be again in a moment.
    func isAvailable(id: UInt64) -> Bool {
        self.entries.contains { $0.id == id && $0.availability.isConnected }
    }

    /// Whether one is known to be well that is none of these.
    func hasReady(besides tried: [UInt64]) -> Bool {
        self.entries.contains { $0.availability == .ready && !tried.contains($0.id) }
    }

    /// The session for the next request.
    ///
    /// Ready before suspect, the caller's event loop before others (so that no byte crosses threads), in turn among
    /// equals.
    ///
    /// - Parameters:
    ///   - loop: The caller's event loop.
    ///   - tried: The numbers of sessions that the request has been on already.
    ///   - sparesSuspects: Whether only a ready one is wanted.
    ///   - takesSilent: Whether a silent one is better than none.
    mutating func pick(
        preferring loop: ObjectIdentifier,
        excluding tried: [UInt64] = [],
        sparingSuspects sparesSuspects: Bool = false,
        orSilent takesSilent: Bool = false
    ) -> Session? {
        guard !self.entries.isEmpty else { return nil }
        self.turn &+= 1
        let start = Int(UInt(bitPattern: self.turn) % UInt(self.entries.count))
        var best: (rank: Int, session: Session)?
        for step in 0..<self.entries.count {
            let index = (start + step) % self.entries.count
            let entry = self.entries[index]
            let rank: Int
            switch (entry.availability, entry.loop == loop) {
            case (.ready, true): rank = 0
            case (.ready, false): rank = 1
            case (.suspect, true): rank = 2
            case (.suspect, false): rank = 3
            case (.silent, _) where takesSilent: rank = 4
            case (.silent, _), (.suspended, _), (.draining, _): continue
            }
            if sparesSuspects, rank > 1 { continue }
            if let best, best.rank <= rank { continue }
            // A request is tried three times at most, and a connector has few connections: a list that short is searched
            // faster than a set is made.
            guard tried.isEmpty || !tried.contains(entry.id) else { continue }
            if rank == 0 { return entry.session }
            best = (rank, entry.session)
        }
        return best?.session
    }
}

extension SessionTable.Availability {
    /// Whether a session may be given new requests at all.
    fileprivate var takesRequests: Bool { self == .ready || self == .suspect }
    /// Whether it may be given some, or may be again as soon as something comes.
    fileprivate var isConnected: Bool { self.takesRequests || self == .silent }
}
