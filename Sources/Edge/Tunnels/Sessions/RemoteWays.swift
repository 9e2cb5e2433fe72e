// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Synchronization

/// Whether the edge at the other end of a link can be reached; read from any thread, with each request.
package final class LinkReach: Sendable {
    /// How a link does.
    package enum State: UInt8, Sendable {
        /// Streams may be opened.
        case ready
        /// The other edge was asked whether it is there, and has not answered: not before it does.
        case silent
        /// It is about to end, or has ended.
        case over
    }

    private let current = Atomic<UInt8>(State.ready.rawValue)

    /// Makes the state of a link that is ready.
    package init() {}

    /// How the link does; what is over stays so.
    package var state: State {
        get { State(rawValue: self.current.load(ordering: .relaxed)) ?? .over }
        set {
            guard self.state != .over else { return }
            self.current.store(newValue.rawValue, ordering: .relaxed)
        }
    }
}

/// The ways of one tunnel to other edges that have sessions of it; each ends with its link.
///
/// A value without locks; ``Tunnel`` owns one behind a lock.
struct RemoteWays: Sendable {
    /// After so long it is looked again where sessions are, beside the request.
    static var lifetime: TimeAmount { .minutes(5) }
    /// The most ways that a tunnel has.
    static var limit: Int { 16 }

    private struct Way {
        let pod: PodID
        let session: TunnelSession
        let loop: ObjectIdentifier
        let reach: LinkReach
        /// Until when nothing is expected from the sessions that the edge has, if it has said so.
        var silentUntil: NIODeadline?

        var state: LinkReach.State {
            let state = self.reach.state
            guard state == .ready, let silentUntil, NIODeadline.now() < silentUntil else { return state }
            return .silent
        }
    }

    /// For how long what an edge says of silent sessions counts: by then they have spoken, or are over.
    private static var longestSilence: TimeAmount { .minutes(1) }

    private var ways: [Way] = []
    private var turn = 0

    init() {}

    /// Whether there are none, usable or not.
    var isEmpty: Bool { self.ways.isEmpty }

    /// Whether any can be used, or perhaps in a moment.
    var isAvailable: Bool { self.ways.contains { $0.reach.state != .over } }

    /// Whether nothing comes over one, or from the sessions that it leads to: something may again in a moment.
    var isSilent: Bool { self.ways.contains { $0.state == .silent } }

    /// Whether a way to an edge can be used, or perhaps in a moment.
    func isAvailable(at pod: PodID) -> Bool {
        self.ways.contains { $0.pod == pod && $0.reach.state != .over }
    }

    /// Whether that of a session is there and can be used, or perhaps in a moment.
    func isAvailable(id: UInt64) -> Bool {
        self.ways.contains { $0.session.id == id && $0.reach.state != .over }
    }

    /// Whether one is known to be well that is none of these.
    func hasReady(besides tried: [UInt64]) -> Bool {
        self.ways.contains { $0.state == .ready && !tried.contains($0.session.id) }
    }

    /// Whether that of a session is known to be well.
    func isReady(id: UInt64) -> Bool {
        self.ways.contains { $0.session.id == id && $0.state == .ready }
    }

    /// Notes what an edge says of the sessions that it has.
    mutating func setSilent(_ isSilent: Bool, id: UInt64, now: NIODeadline) {
        guard let index = self.ways.firstIndex(where: { $0.session.id == id }) else { return }
        self.ways[index].silentUntil = isSilent ? now + Self.longestSilence : nil
    }

    /// Adds a way in place of those to the same edge, and of those that are over.
    mutating func add(_ session: TunnelSession, at pod: PodID, _ reach: LinkReach) {
        self.ways.removeAll { $0.pod == pod || $0.reach.state == .over }
        if self.ways.count >= Self.limit { self.ways.removeFirst() }
        self.ways.append(Way(pod: pod, session: session, loop: ObjectIdentifier(session.eventLoop), reach: reach))
    }

    /// Removes the way of a session.
    ///
    /// - Returns: Whether it was there.
    mutating func remove(id: UInt64) -> Bool {
        guard let index = self.ways.firstIndex(where: { $0.session.id == id }) else { return false }
        self.ways.remove(at: index)
        return true
    }

    /// Removes the ways to other edges than these.
    ///
    /// - Returns: Whether the last one went.
    mutating func keep(_ pods: Set<PodID>) -> Bool {
        let wasEmpty = self.ways.isEmpty
        self.ways.removeAll { !pods.contains($0.pod) || $0.reach.state == .over }
        return !wasEmpty && self.ways.isEmpty
    }

    /// Removes those whose links are over.
    ///
    /// - Returns: Whether the last one went.
    mutating func dropOver() -> Bool {
        let wasEmpty = self.ways.isEmpty
        self.ways.removeAll { $0.reach.state == .over }
        return !wasEmpty && self.ways.isEmpty
    }

    /// Removes all.
    mutating func removeAll() -> [TunnelSession] {
        defer { self.ways.removeAll() }
        return self.ways.map(\.session)
    }

    /// The way for the next request: one that is ready, the caller's event loop before others, in turn among equals.
    mutating func pick(preferring loop: ObjectIdentifier, excluding tried: [UInt64]) -> TunnelSession? {
        guard !self.ways.isEmpty else { return nil }
        self.turn &+= 1
        let start = Int(UInt(bitPattern: self.turn) % UInt(self.ways.count))
        var elsewhere: TunnelSession?
        for step in 0..<self.ways.count {
            let way = self.ways[(start + step) % self.ways.count]
            guard way.state == .ready, !tried.contains(way.session.id) else { continue }
            if way.loop == loop { return way.session }
            elsewhere = elsewhere ?? way.session
        }
        return elsewhere
    }
}
