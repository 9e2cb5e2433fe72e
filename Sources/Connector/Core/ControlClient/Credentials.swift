// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The API key, and the one-time code if the key needs one.
///
/// Printing it prints neither.
package struct Credentials: Sendable, CustomStringConvertible, CustomReflectable {
    package let apiKey: String
    package let oneTimeCode: String?

    /// Checks that both can be the value of a header field.
    ///
    /// - Throws: ``CommandFailure`` that does not quote them.
    package init(apiKey: String, oneTimeCode: String? = nil) throws(CommandFailure) {
        let apiKey = apiKey.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !apiKey.isEmpty else { throw CommandFailure(.configuration, "The API key is empty.") }
        guard apiKey.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), apiKey.utf8.count <= 1_024 else {
            throw CommandFailure(.configuration, "The API key holds characters that no key has.")
        }
        if let oneTimeCode {
            guard oneTimeCode.utf8.count == 6, oneTimeCode.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
                throw CommandFailure(.usage, "A one-time code has six digits.")
            }
        }
        self.apiKey = apiKey
        self.oneTimeCode = oneTimeCode
    }

    /// A tunnel token in place of a key, for the one call that takes it.
    init(_ token: TunnelToken) {
        self.apiKey = token.secret
        self.oneTimeCode = nil
    }

    package var description: String { "credentials" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
