// SPDX-License-Identifier: Apache-2.0

/// Which runs of tunnels there are, and what to start and stop after the configuration was edited; a value without I/O.
///
/// A tunnel whose settings change is served by two runs for a while: the new one is started, and the old one is stopped
/// once the new one has a connection to the edge, so that no request is refused.
struct TunnelRuns {
    /// Identifies a run; never used twice.
    struct ID: Hashable, Sendable {
        let number: Int
    }

    /// What to do.
    enum Step: Equatable {
        /// The run goes on.
        case keep(ID)
        case start(ID, DesiredTunnel)
        /// Start a run beside one that goes on until the new one has a connection.
        case replace(ID, with: ID, DesiredTunnel)
        /// Stop a run once what is in flight has finished.
        case stop(ID)
    }

    private struct Run: Equatable {
        let id: ID
        let tunnel: DesiredTunnel
        var isServing = false
    }

    /// The runs of each tunnel, the newest last, without those that were told to stop.
    private var runs: [DesiredTunnel.Identity: [Run]] = [:]
    private var nextNumber = 0

    /// Whether there are no runs.
    var isEmpty: Bool { self.runs.isEmpty }

    /// Says what to start and stop so that the given tunnels run, and no others.
    ///
    /// - Parameter tunnels: All tunnels that are to run, each with an identity of its own.
    mutating func update(to tunnels: [DesiredTunnel]) -> [Step] {
        var steps: [Step] = []
        let wanted = Set(tunnels.map(\.identity))
        for (identity, leaving) in self.runs where !wanted.contains(identity) {
            self.runs[identity] = nil
            steps += leaving.map { .stop($0.id) }
        }
        // Oldest first, since a dictionary has no order.
        steps.sort { Self.number(of: $0) < Self.number(of: $1) }
        for tunnel in tunnels { steps += self.update(tunnel) }
        return steps
    }

    private mutating func update(_ tunnel: DesiredTunnel) -> [Step] {
        var steps: [Step] = []
        var current = self.runs[tunnel.identity] ?? []
        if let newest = current.last, newest.tunnel == tunnel { return [.keep(newest.id)] }
        if let newest = current.last, !newest.isServing {
            // It has no connection yet, perhaps because of the mistake that the edit corrects.
            current.removeLast()
            steps.append(.stop(newest.id))
        }
        if let serving = current.last, serving.tunnel == tunnel {
            steps.append(.keep(serving.id))
        } else {
            let id = ID(number: self.nextNumber)
            self.nextNumber += 1
            steps.append(current.last.map { .replace($0.id, with: id, tunnel) } ?? .start(id, tunnel))
            current.append(Run(id: id, tunnel: tunnel))
        }
        self.runs[tunnel.identity] = current
        return steps
    }

    /// A run has a connection to the edge: the earlier runs of its tunnel are stopped.
    mutating func becameActive(_ id: ID) -> [Step] {
        guard let (identity, index) = self.find(id), var current = self.runs[identity] else { return [] }
        let before = current[..<index]
        current[index].isServing = true
        current.removeSubrange(..<index)
        self.runs[identity] = current
        return before.map { .stop($0.id) }
    }

    /// A run has ended.
    ///
    /// - Returns: Whether it ended by itself, without having been told to stop.
    mutating func ended(_ id: ID) -> Bool {
        guard let (identity, index) = self.find(id), var current = self.runs[identity] else { return false }
        current.remove(at: index)
        self.runs[identity] = current.isEmpty ? nil : current
        return true
    }

    private func find(_ id: ID) -> (DesiredTunnel.Identity, Int)? {
        for (identity, current) in self.runs {
            if let index = current.firstIndex(where: { $0.id == id }) { return (identity, index) }
        }
        return nil
    }

    private static func number(of step: Step) -> Int {
        switch step {
        case .keep(let id), .start(let id, _), .stop(let id), .replace(let id, _, _): id.number
        }
    }
}
