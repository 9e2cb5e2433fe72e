// SPDX-License-Identifier: Apache-2.0

import ControlAPI

/// Asks edges from time to time how many requests of the tunnels they have answered themselves: these never reach the
/// connector, so nobody who looks there would know of them.
///
/// Needs the API key that the tunnels were made with; of a tunnel that is served by its token alone nothing is known.
package struct EdgeAnswerWatch: Sendable {
    /// A tunnel whose edge can be asked.
    package struct Subject: Sendable {
        /// The tunnel's id.
        package var id: String
        /// Its edge, with the key.
        package var access: EdgeAccess
    }

    /// What the edge has counted since the watch first saw a tunnel.
    struct Counts: Sendable {
        private var bases: [String: UInt64] = [:]

        /// Takes a count of the edge, which begins anew with each of its starts.
        ///
        /// - Returns: How many requests were answered since the first call for the tunnel.
        mutating func take(_ count: UInt64, of id: String) -> UInt64 {
            let base = self.bases[id] ?? count
            self.bases[id] = min(base, count)
            return count - min(base, count)
        }

        /// Forgets tunnels that are not served any more.
        mutating func keep(_ ids: Set<String>) {
            self.bases = self.bases.filter { ids.contains($0.key) }
        }
    }

    private let server: TunnelServer
    private let subjects: @Sendable () -> [Subject]
    private let report: @Sendable (_ count: UInt64, _ tunnel: String) -> Void

    /// How often edges are asked.
    static let pace = Duration.seconds(10)
    /// How soon after a tunnel is served its edge is asked first.
    static let firstDelay = Duration.seconds(1)

    /// - Parameters:
    ///   - server: Makes the calls.
    ///   - subjects: The tunnels of the moment.
    ///   - report: Called with each count that was learnt, on any thread.
    package init(
        server: TunnelServer,
        subjects: @escaping @Sendable () -> [Subject],
        report: @escaping @Sendable (_ count: UInt64, _ tunnel: String) -> Void
    ) {
        self.server = server
        self.subjects = subjects
        self.report = report
    }

    /// Asks until the task is cancelled; a call that fails is left out.
    package func run() async {
        var counts = Counts()
        var known: Set<String> = []
        var waited = Self.pace
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.firstDelay)
            waited += Self.firstDelay
            let subjects = self.subjects()
            let ids = Set(subjects.map(\.id))
            guard waited >= Self.pace || !ids.isSubset(of: known) else { continue }
            waited = .zero
            known = ids
            counts.keep(ids)
            for (id, count) in await self.ask(subjects) { self.report(counts.take(count, of: id), id) }
        }
    }

    /// What the edges have counted, by the tunnels' ids: one call for each edge.
    private func ask(_ subjects: [Subject]) async -> [String: UInt64] {
        var answers: [String: UInt64] = [:]
        for (_, subjects) in Dictionary(grouping: subjects, by: { "\($0.access.edge)" }) {
            guard let first = subjects.first else { continue }
            let isOne = subjects.count == 1
            let found = try? await self.server.callOnce(first.access) { client async throws(EdgeFailure) in
                isOne ? [try await client.status(of: first.id)] : try await client.list()
            }
            let ids = Set(subjects.map(\.id))
            for status in found ?? [] where ids.contains(status.tunnelID) {
                answers[status.tunnelID] = status.counters.errors
            }
        }
        return answers
    }
}
