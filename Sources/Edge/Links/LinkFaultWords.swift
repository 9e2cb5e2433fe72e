// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import SystemErrors

/// Why another edge could not be reached, in words: libraries name their types, and files of the machine that built them.
enum LinkFaultWords {
    /// The reason, for the log.
    static func of(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError where !error.connectionErrors.isEmpty:
            self.of(error.connectionErrors[0].error)
        default: self.ofTLS(TransportFault.words(error))
        }
    }

    /// The reason in a text such as `error:1000007d:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED at FILE:491`.
    private static func ofTLS(_ text: String) -> String {
        guard let start = text.firstRange(of: "OPENSSL_internal:")?.upperBound else { return text }
        let name = String(text[start...].prefix { $0.isLetter || $0.isNumber || $0 == "_" })
        return self.known[name] ?? "the TLS library says “\(name.lowercased().replacing("_", with: " "))”"
    }

    private static let foreign = "it takes no certificate of this edge's authority: see its cluster.tls.ca"
    private static let plain = "it does not encrypt links, and this edge does: see its cluster.tls"
    private static let known = [
        "CERTIFICATE_VERIFY_FAILED": "its certificate is of no authority that cluster.tls.ca names",
        "TLSV1_ALERT_UNKNOWN_CA": Self.foreign, "TLSV1_ALERT_CERTIFICATE_REQUIRED": Self.foreign,
        "WRONG_VERSION_NUMBER": Self.plain, "HTTP_REQUEST": Self.plain,
    ]
}
