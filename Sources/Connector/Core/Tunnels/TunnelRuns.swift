// SPDX-License-Identifier: Apache-2.0

/// Which tunnels run, and what an edited file means for them; a value without I/O.
///
/// A tunnel whose settings change is served by two runs for a while: the new one is started, and the old one goes once
/// the new one has a connection to the edge, so that no request finds nobody.
struct TunnelRuns {
    /// One run of a tunnel, which is never used twice.
    struct ID: Hashable, Sendable {
        let number: Int
    }

    /// What to do.
    enum Step: Equatable {
        /// The run goes on undisturbed.
        case keep(ID)
        case start(ID, DesiredTunnel)
        /// Start a run beside one that goes on until the new one serves.
        case replace(ID, with: ID, DesiredTunnel)
        /// Finish what is in flight, and end.
        case stop(ID)
    }

    private struct Run: Equatable {
        let id: ID
        let tunnel: DesiredTunnel
        var isServing = false
    }

    /// The runs of each tunnel, the newest last; those that were told to stop are not among them.
    private var runs: [DesiredTunnel.Identity: [Run]] = [:]
    private var nextNumber = 0

    /// Whether nothing is served and nothing is going to be.
    var isEmpty: Bool { self.runs.isEmpty }

    /// Says how to come from what runs to what is wanted.
    ///
    /// - Parameter tunnels: All that is to run, each with another identity.
    mutating func update(to tunnels: [DesiredTunnel]) -> [Step] {
        var steps: [Step] = []
        let wanted = Set(tunnels.map(\.identity))
        for (identity, leaving) in self.runs where !wanted.contains(identity) {
            self.runs[identity] = nil
            steps += leaving.map { .stop($0.id) }
        }
        // The order of a dictionary is no order; oldest first is one.
        steps.sort { Self.number(of: $0) < Self.number(of: $1) }
        for tunnel in tunnels { steps += self.update(tunnel) }
        return steps
    }

    private mutating func update(_ tunnel: DesiredTunnel) -> [Step] {
        var steps: [Step] = []
        var current = self.runs[tunnel.identity] ?? []
        if let newest = current.last, newest.tunnel == tunnel { return [.keep(newest.id)] }
        if let newest = current.last, !newest.isServing {
            // It serves nobody yet and never will, perhaps because of the mistake that was corrected.
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

    /// Notes that a run has a connection to the edge; those before it can go.
    mutating func becameActive(_ id: ID) -> [Step] {
        guard let (identity, index) = self.find(id), var current = self.runs[identity] else { return [] }
        let before = current[..<index]
        current[index].isServing = true
        current.removeSubrange(..<index)
        self.runs[identity] = current
        return before.map { .stop($0.id) }
    }

    /// Notes that a run is over.
    ///
    /// - Returns: Whether it ended by itself: it was not told to stop.
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
