// SPDX-License-Identifier: Apache-2.0

/// The size of a terminal's window, in characters.
struct TerminalSize: Equatable, Sendable {
    var columns: Int
    var rows: Int
}
