// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Why a TLS handshake failed, in words: the library's own text names its types, and files of the machine that built it.
enum TLSReason {
    /// The reason, as the middle of a sentence.
    static func words(_ error: any Error) -> String {
        let text = "\(error)"
        // As in error:100000f7:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER at FILE:491
        guard let start = text.range(of: "OPENSSL_internal:")?.upperBound else {
            return "the other side ended it"
        }
        let name = String(text[start...].prefix { $0.isLetter || $0.isNumber || $0 == "_" })
        return self.known[name] ?? "the TLS library says “\(name.lowercased().replacing("_", with: " "))”"
    }

    /// Whether the other side speaks something else than TLS.
    static func isNoTLS(_ error: any Error) -> Bool {
        let text = "\(error)"
        return ["WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST"].contains { text.contains($0) }
    }

    private static let known = [
        "WRONG_VERSION_NUMBER": "what answers does not speak TLS",
        "HTTP_REQUEST": "what answers does not speak TLS",
        "CERTIFICATE_VERIFY_FAILED": "the certificate is not trusted",
        "UNSUPPORTED_PROTOCOL": "the other side speaks only versions of TLS that are too old",
        "TLSV1_ALERT_PROTOCOL_VERSION": "the other side speaks only versions of TLS that are too old",
        "SSLV3_ALERT_HANDSHAKE_FAILURE": "the two have no cipher in common, or a client certificate is asked for",
        "TLSV1_CERTIFICATE_REQUIRED": "a client certificate is asked for, and culvert has none",
        "TLSV1_UNRECOGNIZED_NAME": "the other side does not know the name that it was asked for",
    ]
}
