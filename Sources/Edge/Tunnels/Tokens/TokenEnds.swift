// SPDX-License-Identifier: Apache-2.0

/// Which tokens of one tunnel ended before their time.
package struct TokenEnds: Equatable, Sendable {
    /// Those of connectors.
    package var cutoffs: [TokenCutoffs.Cutoff]
    /// Up to which issue time access tokens have ended, in seconds since 1970; `nil` if nobody has ended any.
    package var access: Double?

    /// Notes which tokens ended.
    package init(_ cutoffs: [TokenCutoffs.Cutoff] = [], access: Double? = nil) {
        self.cutoffs = cutoffs
        self.access = access
    }

    /// The last issue time of connectors' tokens that is affected; `nil` if none have ended.
    package var issuedUntil: Double? { self.cutoffs.map(\.issuedUntil).max() }
}
