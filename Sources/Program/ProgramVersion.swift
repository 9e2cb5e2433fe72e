// SPDX-License-Identifier: Apache-2.0

/// The version that `--version`, the `User-Agent` and HELLO carry.
package enum ProgramVersion {
    /// The version of this source tree.
    package static let current = "0.1.0"

    /// The commit that the programs were built from; empty where nobody said.
    ///
    /// A source can't contain its own commit: `scripts/release` and the image's build write it here for as long as
    /// they build.
    package static let revision = ""

    /// The version for people, with the commit where it is known: `0.1.0 (commit 0123456789ab)`.
    package static let description = Self.describe(revision: Self.revision)

    /// Puts version and commit together.
    package static func describe(revision: String) -> String {
        revision.isEmpty ? Self.current : "\(Self.current) (commit \(revision))"
    }
}
