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
        let name = text[start...].prefix { $0.isLetter || $0.isNumber || $0 == "_" }
        for prefix in self.alertPrefixes where name.hasPrefix(prefix) {
            let alert = String(name.dropFirst(prefix.count))
            return self.alerts[alert] ?? "the other side broke it off and says “\(self.spoken(alert))”"
        }
        return self.known[String(name)] ?? "the TLS library says “\(self.spoken(String(name)))”"
    }

    /// Whether the other side speaks something else than TLS.
    static func isNoTLS(_ error: any Error) -> Bool {
        let text = "\(error)"
        return ["WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST"].contains { text.contains($0) }
    }

    private static func spoken(_ name: String) -> String { name.lowercased().replacing("_", with: " ") }

    private static let known = [
        "WRONG_VERSION_NUMBER": "what answers does not speak TLS",
        "HTTP_REQUEST": "what answers does not speak TLS",
        "CERTIFICATE_VERIFY_FAILED": "the certificate is not trusted",
        "UNSUPPORTED_PROTOCOL": Self.tooOld,
    ]

    /// How the library begins what the other side has sent as an alert (RFC 8446 §6), whatever the version of TLS is.
    private static let alertPrefixes = ["SSLV3_ALERT_", "TLSV1_ALERT_"]

    /// What a server means by an alert.
    private static let alerts = [
        "PROTOCOL_VERSION": Self.tooOld,
        "HANDSHAKE_FAILURE": "the two have no cipher in common, or a client certificate is asked for",
        "INSUFFICIENT_SECURITY": "the two have no cipher in common that is strong enough for the other side",
        "CERTIFICATE_REQUIRED": Self.wantsCertificate,
        // What servers of TLS 1.2 say of a certificate that did not come.
        "BAD_CERTIFICATE": Self.wantsCertificate,
        "NO_CERTIFICATE": Self.wantsCertificate,
        "UNRECOGNIZED_NAME": "the other side does not know the name that it was asked for",
        "INTERNAL_ERROR":
            "the other side failed, as servers do that have no certificate for the name they are asked for",
        "NO_APPLICATION_PROTOCOL": "the other side speaks no protocol that culvert offers, such as HTTP/1.1",
        "ACCESS_DENIED": "the other side lets nobody in that it does not know",
        "CLOSE_NOTIFY": "the other side ended it",
    ]

    private static let tooOld = "the other side speaks only versions of TLS that are too old"
    private static let wantsCertificate = "a client certificate is asked for, and culvert has none"
}
