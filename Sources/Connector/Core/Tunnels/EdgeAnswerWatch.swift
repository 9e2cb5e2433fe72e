// SPDX-License-Identifier: Apache-2.0

import ControlAPI

/// Asks edges from time to time how many requests of the tunnels they have answered themselves, which never reach the
/// connector, and who may visit: nobody who looks at the connector would know of either.
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
        private var bases: [String: EdgeAnswers] = [:]

        /// Takes the counts of the edge, which begin anew with each of its starts.
        ///
        /// - Returns: How many requests were answered since the first call for the tunnel.
        mutating func take(_ answers: EdgeAnswers, of id: String) -> EdgeAnswers {
            var base = self.bases[id] ?? answers
            if answers.count < base.count { base = EdgeAnswers() }
            self.bases[id] = base
            return EdgeAnswers(
                answers.byCode.reduce(into: [:]) { found, kind in
                    let before = base.byCode[kind.key] ?? 0
                    found[kind.key] = kind.value - min(before, kind.value)
                }
            )
        }

        /// Forgets tunnels that are not served any more.
        mutating func keep(_ ids: Set<String>) {
            self.bases = self.bases.filter { ids.contains($0.key) }
        }
    }

    /// Who may visit the tunnels, as their edges said last.
    struct Admissions: Sendable {
        private var known: [String: VisitorAdmission] = [:]

        /// Takes what the edge says.
        ///
        /// - Returns: What it said before, if that was something else: a command that takes up the tunnel's name, on
        ///   whatever machine, replaces its policy.
        mutating func take(_ admission: VisitorAdmission, of id: String) -> VisitorAdmission? {
            defer { self.known[id] = admission }
            return self.known[id].flatMap { $0 == admission ? nil : $0 }
        }

        /// Forgets tunnels that are not served any more.
        mutating func keep(_ ids: Set<String>) {
            self.known = self.known.filter { ids.contains($0.key) }
        }
    }

    private let server: TunnelServer
    private let subjects: @Sendable () -> [Subject]
    private let report: @Sendable (_ answers: EdgeAnswers, _ tunnel: String) -> Void
    private let warn: @Sendable (_ sentence: String, _ tunnel: String) -> Void

    /// How often edges are asked.
    static let pace = Duration.seconds(10)
    /// How soon after a tunnel is served its edge is asked first.
    static let firstDelay = Duration.seconds(1)

    /// - Parameters:
    ///   - server: Makes the calls.
    ///   - subjects: The tunnels of the moment.
    ///   - report: Called with all counts that were learnt, on any thread.
    ///   - warn: Called when others than before may visit a tunnel, on any thread.
    package init(
        server: TunnelServer,
        subjects: @escaping @Sendable () -> [Subject],
        report: @escaping @Sendable (_ answers: EdgeAnswers, _ tunnel: String) -> Void,
        warn: @escaping @Sendable (_ sentence: String, _ tunnel: String) -> Void
    ) {
        self.server = server
        self.subjects = subjects
        self.report = report
        self.warn = warn
    }

    /// Asks until the task is cancelled; a call that fails is left out.
    package func run() async {
        var counts = Counts()
        var admissions = Admissions()
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
            admissions.keep(ids)
            for (id, status) in await self.ask(subjects) {
                self.report(counts.take(EdgeAnswers(status.counters), of: id), id)
                if let now = status.visitors, let before = admissions.take(now, of: id) {
                    self.warn(Self.sentence(of: id, now: now, before: before), id)
                }
            }
        }
    }

    /// What a person is told of a policy that was replaced.
    static func sentence(of id: String, now: VisitorAdmission, before: VisitorAdmission) -> String {
        PeerText.printable(
            "Who may visit \(id) has changed at the edge: \(now); before: \(before). Each command with this name "
                + "replaces the policy: give all of them the same options."
        )
    }

    /// What the edges say of the tunnels, by their ids: one call for each edge.
    private func ask(_ subjects: [Subject]) async -> [String: TunnelStatus] {
        var answers: [String: TunnelStatus] = [:]
        for (_, subjects) in Dictionary(grouping: subjects, by: { "\($0.access.edge)" }) {
            guard let first = subjects.first else { continue }
            let isOne = subjects.count == 1
            let found = try? await self.server.callOnce(first.access) { client async throws(EdgeFailure) in
                isOne ? [try await client.status(of: first.id)] : try await client.list()
            }
            let ids = Set(subjects.map(\.id))
            for status in found ?? [] where ids.contains(status.tunnelID) {
                answers[status.tunnelID] = status
            }
        }
        return answers
    }
}
