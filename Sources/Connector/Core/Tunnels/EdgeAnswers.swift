// SPDX-License-Identifier: Apache-2.0

import ControlAPI

/// How many requests of a tunnel its edge has answered itself, by the codes of its errors (docs/errors.md).
package struct EdgeAnswers: Equatable, Sendable {
    /// By code; those without a known one, of an edge of an earlier version, have none.
    package private(set) var byCode: [String: UInt64] = [:]

    /// How many kinds a person is told.
    private static let most = 3

    /// None.
    package init() {}

    /// - Parameter byCode: How many, by code.
    package init(_ byCode: [String: UInt64]) {
        self.byCode = byCode.filter { $0.value > 0 }
    }

    init(_ counters: TunnelCounters) {
        self.init(counters.errorsByCode ?? ["": counters.errors])
    }

    /// All together.
    package var count: UInt64 { self.byCode.values.reduce(0) { $0.addingReportingOverflow($1).partialValue } }

    /// The kinds, the most frequent first, as "12 login required, 3 rate limited"; empty where none is known.
    package var words: String {
        let known = self.byCode.filter { !$0.key.isEmpty }.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        let shown = known.prefix(Self.most).map { code, count in
            "\(count) \(PeerText.printable(code.replacing("_", with: " ")))"
        }
        return (shown + (known.count > Self.most ? ["others"] : [])).joined(separator: ", ")
    }

    /// The answers of several tunnels.
    package static func + (first: EdgeAnswers, second: EdgeAnswers) -> EdgeAnswers {
        EdgeAnswers(first.byCode.merging(second.byCode) { $0.addingReportingOverflow($1).partialValue })
    }
}
