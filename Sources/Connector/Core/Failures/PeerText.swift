// SPDX-License-Identifier: Apache-2.0

import Program

/// Text that a peer sent.
package enum PeerText {
    /// Removes what steers a terminal or turns the direction of text, and bounds the length.
    package static func printable(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.lazy.filter { !$0.isSteering }.prefix(500)))
    }
}
