// SPDX-License-Identifier: Apache-2.0

/// Text that a peer sent.
package enum PeerText {
    /// Removes control characters, so that no peer controls the terminal, and bounds the length.
    package static func printable(_ text: String) -> String {
        let visible = text.unicodeScalars.lazy.filter { $0.properties.generalCategory != .control }
        return String(String.UnicodeScalarView(visible.prefix(500)))
    }
}
