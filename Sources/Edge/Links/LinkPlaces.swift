// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels
import NIOCore

/// Which link leads to each other edge, and which edges are dialled: a value without sessions, locks and clocks.
///
/// | event                    | no place       | dialling             | open                | dialling anew                        | failed              |
/// |--------------------------|----------------|----------------------|---------------------|--------------------------------------|---------------------|
/// | a tunnel wants a way     | dialling: dial | it waits             | it is given one     | it waits                             | after a pause: dial |
/// | a link has begun         | open           | open: give ways      | it is a spare one   | open: give ways, give the silent one up | open             |
/// | the open link is silent  |                |                      | dialling anew: dial |                                      |                     |
/// | it speaks again          |                |                      |                     | open: give ways                      |                     |
/// | a dial leads nowhere     |                | failed               |                     | failed: give the silent one up       |                     |
/// | the open link ends       |                |                      | no place            | dialling                             |                     |
///
/// What is under way over a link that is given up, and was taken at the other end, goes on there.
struct LinkPlaces<Link: Hashable & Sendable, Waiting: Sendable>: Sendable {
    /// What whoever wants a way is to do.
    enum Step: Equatable {
        /// Use this link.
        case give(Link)
        /// Dial the edge; a way follows.
        case dial
        /// A way follows, or not.
        case wait
    }

    /// What follows from a silence.
    enum Silence: Equatable {
        /// Dial the edge.
        case dial
        /// Give the link up: nobody has a way over it.
        case giveUp
        /// It is none that this edge opens streams over.
        case nothing
    }

    private enum Place {
        /// A link is dialled; these tunnels wait for it. Nothing comes over the one that there was, if there was one.
        case dialling([TunnelID: Waiting], silent: Link?)
        case open(Link)
        /// It could not be reached a moment ago.
        case failed(until: NIODeadline)
    }

    /// For how long an edge that could not be reached is left alone.
    static var pause: TimeAmount { .milliseconds(200) }
    /// The most tunnels that wait for a link.
    static var mostWaiting: Int { 4_096 }

    private var places: [PodID: Place] = [:]

    init() {}

    /// A tunnel wants a way to an edge.
    mutating func wants(_ pod: PodID, _ tunnel: Waiting, id: TunnelID, now: NIODeadline) -> Step {
        switch self.places[pod] {
        case .open(let link): return .give(link)
        case .dialling(var tunnels, let silent):
            if tunnels.count < Self.mostWaiting { tunnels[id] = tunnel }
            self.places[pod] = .dialling(tunnels, silent: silent)
            return .wait
        case .failed(let until) where now < until: return .wait
        case .failed, nil:
            self.places[pod] = .dialling([id: tunnel], silent: nil)
            return .dial
        }
    }

    /// A link has begun, whichever side has dialled.
    ///
    /// - Returns: Who is to be given a way over it, and the link in whose place it comes.
    mutating func opened(_ link: Link, to pod: PodID) -> (ways: [Waiting], givenUp: Link?) {
        switch self.places[pod] {
        case .open: return ([], nil)
        case .dialling(let tunnels, let silent):
            self.places[pod] = .open(link)
            return (Array(tunnels.values), silent)
        case .failed, nil:
            self.places[pod] = .open(link)
            return ([], nil)
        }
    }

    /// The other end of a link has been asked whether it is there, and has not answered.
    ///
    /// - Parameter tunnels: Who has a way over it.
    mutating func fellSilent(_ link: Link, to pod: PodID, ways tunnels: [TunnelID: Waiting]) -> Silence {
        guard case .open(link) = self.places[pod] else { return .nothing }
        guard !tunnels.isEmpty else {
            self.places[pod] = nil
            return .giveUp
        }
        self.places[pod] = .dialling(tunnels, silent: link)
        return .dial
    }

    /// Something has come over a link again.
    ///
    /// - Returns: Who is to be given a way over it; `nil` if it is given up.
    mutating func spoke(_ link: Link, to pod: PodID) -> [Waiting]? {
        guard case .dialling(let tunnels, silent: link) = self.places[pod] else { return nil }
        // What is being dialled becomes a spare one.
        self.places[pod] = .open(link)
        return Array(tunnels.values)
    }

    /// An edge that was dialled could not be reached.
    ///
    /// - Returns: The silent link to it, which is given up.
    mutating func failed(_ pod: PodID, now: NIODeadline) -> Link? {
        // A link that the edge has dialled itself counts.
        guard case .dialling(_, let silent) = self.places[pod] else { return nil }
        // Edges that are gone are not remembered.
        self.places = self.places.filter { if case .failed(let until) = $0.value { until > now } else { true } }
        self.places[pod] = .failed(until: now + Self.pause)
        return silent
    }

    /// A link takes no more streams of this edge.
    mutating func closing(_ link: Link, to pod: PodID) {
        switch self.places[pod] {
        case .open(link): self.places[pod] = nil
        case .dialling(let tunnels, silent: link): self.places[pod] = .dialling(tunnels, silent: nil)
        case .open, .dialling, .failed, nil: break
        }
    }
}
