// SPDX-License-Identifier: Apache-2.0

import NIOConcurrencyHelpers
import NIOCore

/// The tunnels that the program serves, as its inspector shows them; called on any thread.
package final class TunnelDirectory: Sendable {
    /// How one connection to the edge is.
    package enum ConnectionState: String, Sendable {
        case connecting
        case connected
        case draining
        case waiting
        case replaced
    }

    private struct Entry {
        var tunnel: ServedTunnel
        /// While a run is replaced, there are two.
        var runs = 1
        var connections: [Int: ConnectionState] = [:]
        var sessions: [Int: TunnelSession] = [:]
        var roundTrips: [Int: TimeAmount] = [:]
        var originFailure: String?
        var edgeAnswers: EdgeAnswers?
    }

    private struct State {
        var entries: [String: Entry] = [:]
        var version: UInt64 = 0
    }

    private let state = NIOLockedValueBox(State())
    private let onChange: @Sendable () -> Void

    /// Makes an empty directory.
    ///
    /// - Parameter onChange: Called after each change, but for round-trip times, which always change.
    package init(onChange: @escaping @Sendable () -> Void = {}) {
        self.onChange = onChange
    }

    // MARK: Events

    /// A run of a tunnel begins.
    package func opened(_ tunnel: ServedTunnel) {
        self.state.withLockedValue { state in
            var entry = Entry(tunnel: tunnel)
            entry.runs = (state.entries[tunnel.token.tunnelID]?.runs ?? 0) + 1
            state.entries[tunnel.token.tunnelID] = entry
            state.version += 1
        }
        self.onChange()
    }

    /// A run of a tunnel has ended.
    package func closed(_ id: String) {
        self.state.withLockedValue { state in
            guard var entry = state.entries[id] else { return }
            entry.runs -= 1
            state.entries[id] = entry.runs > 0 ? entry : nil
            state.version += 1
        }
        self.onChange()
    }

    /// Takes an event of a connection of a tunnel.
    package func take(_ event: ConnectionEvent, of id: String) {
        self.change(id) { entry in
            switch event {
            case .connecting(let index): entry.connections[index] = .connecting
            case .opened(let index, let session): entry.sessions[index] = session
            case .active(let index), .resumed(let index, _, _): entry.connections[index] = .connected
            case .suspended(let index, _, _), .stillAway(let index, _, _): entry.connections[index] = .connecting
            case .replacing(let index, _): entry.connections[index] = .draining
            case .waiting(let index, _, _):
                entry.connections[index] = .waiting
                entry.sessions[index] = nil
                entry.roundTrips[index] = nil
            case .replaced(let index):
                entry.connections[index] = .replaced
                entry.sessions[index] = nil
                entry.roundTrips[index] = nil
            }
        }
    }

    /// Takes an event of the local server of a tunnel.
    package func take(_ event: OriginEvent, of id: String) {
        self.change(id) { entry in
            switch event {
            case .unreachable(_, _, let reason): entry.originFailure = reason
            case .reachable: entry.originFailure = nil
            case .alsoServed: break
            }
        }
    }

    /// The edge has answered so many requests of a tunnel itself.
    package func edgeAnswered(_ answers: EdgeAnswers, of id: String) {
        // The edge is asked again and again, and mostly says the same.
        guard self.state.withLockedValue({ $0.entries[id]?.edgeAnswers != answers }) else { return }
        self.change(id) { $0.edgeAnswers = answers }
    }

    private func change(_ id: String, _ body: (inout Entry) -> Void) {
        self.state.withLockedValue { state in
            guard var entry = state.entries[id] else { return }
            body(&entry)
            state.entries[id] = entry
            state.version += 1
        }
        self.onChange()
    }

    // MARK: Looking

    /// Grows with each change, but for round-trip times.
    package var version: UInt64 { self.state.withLockedValue { $0.version } }

    /// What is known of all tunnels, by their names.
    package var answers: [TunnelAnswer] {
        self.state.withLockedValue { state in
            state.entries.sorted { $0.key < $1.key }.map { id, entry in
                TunnelAnswer(
                    id: id,
                    publicURL: entry.tunnel.publicURL,
                    target: entry.tunnel.target,
                    isInspected: entry.tunnel.isInspected,
                    originFailure: entry.originFailure,
                    edgeAnswers: entry.edgeAnswers,
                    connections: entry.connections.sorted { $0.key < $1.key }.map { index, state in
                        TunnelAnswer.Connection(index: index, state: state, roundTrip: entry.roundTrips[index])
                    }
                )
            }
        }
    }

    /// The tunnels whose edge can be asked about them.
    package var subjects: [EdgeAnswerWatch.Subject] {
        self.state.withLockedValue { state in
            state.entries.compactMap { id, entry in
                entry.tunnel.access.map { EdgeAnswerWatch.Subject(id: id, access: $0) }
            }
        }
    }

    /// Where visitors reach a tunnel.
    package func publicURL(of id: String) -> String? {
        self.state.withLockedValue { $0.entries[id]?.tunnel.publicURL }
    }

    /// The local server of a tunnel.
    package func target(of id: String) -> OriginTarget? {
        self.state.withLockedValue { $0.entries[id]?.tunnel.target }
    }

    /// The local server of a tunnel with the certificates that it may show; without an id, that of the only tunnel.
    func destination(of id: String?) -> (id: String, target: OriginTarget, trust: OriginTrust)? {
        self.state.withLockedValue { state in
            let id = id ?? (state.entries.count == 1 ? state.entries.keys.first : nil)
            guard let id, let tunnel = state.entries[id]?.tunnel else { return nil }
            return (id, tunnel.target, tunnel.originTrust)
        }
    }

    /// Asks the sessions for their round-trip times, which are known a moment later.
    package func measure() {
        let sessions = self.state.withLockedValue { $0.entries.mapValues(\.sessions) }
        for (id, sessions) in sessions {
            for (index, session) in sessions {
                session.withRoundTripTime { [weak self] time in
                    self?.state.withLockedValue { $0.entries[id]?.roundTrips[index] = time }
                }
            }
        }
    }
}
