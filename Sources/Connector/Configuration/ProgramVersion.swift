// SPDX-License-Identifier: Apache-2.0

/// The version that `--version`, the `User-Agent` and HELLO carry.
enum ProgramVersion {
    /// The version of this source tree.
    static let current = "0.1.0"
}
