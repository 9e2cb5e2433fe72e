// SPDX-License-Identifier: Apache-2.0

/// The lines of a text that a person or another machine has written.
package enum TextLines {
    /// The lines, empty ones among them, whether they end with LF or with CRLF.
    ///
    /// Swift takes CR and LF together for one character: who splits at the character LF finds a single line.
    package static func of(_ text: String) -> [Substring] {
        text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
    }
}
