// SPDX-License-Identifier: Apache-2.0

import Mux
import NIOCore
import Protocol
import Synchronization

/// Which edges the sessions of one bundle are at, and which of them is to be opened anew so that they are at different
/// ones (docs/protocol.md §B.20).
///
/// A value without clocks or sockets.
struct SpreadRules: Sendable {
    /// How often in a row a session is opened anew before it stays where it is: a load balancer may always choose the same
    /// edge.
    static let mostMoves = 3

    private struct Place {
        var pod: String
        var number: UInt64
    }

    private var places: [UInt8: Place] = [:]
    private var moves: [UInt8: Int] = [:]
    /// How many edges there are, as the latest HELLO says.
    private var pods: UInt16 = 0
    private var last: UInt64 = 0

    /// A session is active.
    ///
    /// - Parameters:
    ///   - index: Its index in the bundle.
    ///   - pod: The edge that it is at; `nil` if that does not say.
    ///   - pods: How many edges there are, as that one knows.
    /// - Returns: The number by which the session is known here.
    mutating func arrived(_ index: UInt8, at pod: String?, of pods: UInt16?) -> UInt64 {
        self.last += 1
        self.places[index] = pod.map { Place(pod: $0, number: self.last) }
        // Where edges have come or gone it may be possible now.
        if let pods, pods != self.pods {
            self.pods = pods
            self.moves = [:]
        }
        if !self.isCrowded(index) { self.moves[index] = nil }
        return self.last
    }

    /// A session is over, or takes no more streams.
    mutating func left(_ index: UInt8, number: UInt64) {
        if self.places[index]?.number == number { self.places[index] = nil }
    }

    /// Whether a session is to be opened anew, at another edge if chance will have it: one that came before it is at the
    /// same edge, and there is an edge without any.
    func shouldMove(_ index: UInt8, number: UInt64) -> Bool {
        self.places[index]?.number == number && self.isCrowded(index) && self.moves[index, default: 0] < Self.mostMoves
    }

    /// A session is about to be opened anew.
    mutating func moves(_ index: UInt8) {
        self.places[index] = nil
        self.moves[index, default: 0] += 1
    }

    private func isCrowded(_ index: UInt8) -> Bool {
        guard let own = self.places[index], Set(self.places.values.map(\.pod)).count < Int(self.pods) else {
            return false
        }
        return self.places.values.contains { $0.pod == own.pod && $0.number < own.number }
    }
}

/// Sees to it that the sessions of one bundle are at different edges, as far as there are several.
final class BundleSpread: Sendable {
    private let rules = Mutex(SpreadRules())

    /// One session of the bundle.
    struct Place: Sendable {
        fileprivate let spread: BundleSpread
        fileprivate let index: UInt8
        fileprivate let number: UInt64

        /// The session is over, or takes no more streams.
        func leave() { self.spread.rules.withLock { $0.left(self.index, number: self.number) } }
    }

    /// A session is active; on its event loop.
    ///
    /// - Parameters:
    ///   - index: Its index in the bundle.
    ///   - peer: What its edge says.
    ///   - eventLoop: The session's.
    ///   - move: Opens the session anew, and lets what is under way go on; on the event loop.
    func arrived(
        _ index: UInt8,
        _ peer: SessionSettings,
        on eventLoop: any EventLoop,
        move: @escaping () -> Void
    ) -> Place {
        let (number, shouldMove) = self.rules.withLock { rules in
            let number = rules.arrived(index, at: peer.pod, of: peer.pods)
            return (number, rules.shouldMove(index, number: number))
        }
        if shouldMove {
            // The connectors of an edge that has come or gone do not all dial at the same time.
            eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(.random(in: 1_000...5_000))) {
                let isWanted = self.rules.withLock { rules in
                    guard rules.shouldMove(index, number: number) else { return false }
                    rules.moves(index)
                    return true
                }
                if isWanted { move() }
            }
        }
        return Place(spread: self, index: index, number: number)
    }

    /// For how long what is under way in a session that is opened anew may go on: nothing is wrong with it.
    static let gracePeriod = TimeAmount.hours(1)
}
