// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The text of a tunnel token.
enum TokenText {
    /// A token with some claims and no valid signature, which the connector does not check.
    static func signed(_ claims: String) -> String {
        let payload = Data(claims.utf8).base64EncodedString()
            .replacingOccurrences(of: "+", with: "-")
            .replacingOccurrences(of: "/", with: "_")
            .replacingOccurrences(of: "=", with: "")
        return "eyJhbGciOiJIUzI1NiJ9.\(payload).c2lnbmF0dXJl"
    }
}
