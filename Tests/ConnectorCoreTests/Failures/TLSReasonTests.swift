// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ConnectorCore

@Suite("Why a TLS handshake failed")
struct TLSReasonTests {
    /// As the TLS library describes itself.
    private struct LibraryError: Error, CustomStringConvertible {
        let name: String
        var description: String {
            "handshakeFailed(NIOSSL.BoringSSLError.sslError([Error: 268436496 error:10000410:SSL routines:OPENSSL_internal:"
                + "\(self.name) at /build/checkouts/swift-nio-ssl/tls_record.cc:592]))"
        }
    }

    @Test(
        "It is said in words",
        arguments: [
            ("SSLV3_ALERT_HANDSHAKE_FAILURE", "the two have no cipher in common, or a client certificate is asked for"),
            ("TLSV1_ALERT_PROTOCOL_VERSION", "the other side speaks only versions of TLS that are too old"),
            ("TLSV1_ALERT_CERTIFICATE_REQUIRED", "a client certificate is asked for, and culvert has none"),
            ("SSLV3_ALERT_BAD_CERTIFICATE", "a client certificate is asked for, and culvert has none"),
            ("TLSV1_ALERT_UNRECOGNIZED_NAME", "the other side does not know the name that it was asked for"),
            (
                "TLSV1_ALERT_INTERNAL_ERROR",
                "the other side failed, as servers do that have no certificate for the name they are asked for"
            ),
            ("SSLV3_ALERT_UNEXPECTED_MESSAGE", "the other side broke it off and says “unexpected message”"),
            ("WRONG_VERSION_NUMBER", "what answers does not speak TLS"),
            ("BAD_SIGNATURE", "the TLS library says “bad signature”"),
        ]
    )
    func words(name: String, words: String) {
        #expect(TLSReason.words(LibraryError(name: name)) == words)
    }

    @Test(
        "No alert is told by the library's name for it",
        arguments: [
            "SSLV3_ALERT_BAD_CERTIFICATE", "SSLV3_ALERT_BAD_RECORD_MAC", "SSLV3_ALERT_CERTIFICATE_EXPIRED",
            "SSLV3_ALERT_CERTIFICATE_UNKNOWN", "SSLV3_ALERT_CLOSE_NOTIFY", "SSLV3_ALERT_ILLEGAL_PARAMETER",
            "TLSV1_ALERT_ACCESS_DENIED", "TLSV1_ALERT_DECODE_ERROR", "TLSV1_ALERT_DECRYPT_ERROR",
            "TLSV1_ALERT_NO_APPLICATION_PROTOCOL", "TLSV1_ALERT_UNKNOWN_CA", "TLSV1_ALERT_USER_CANCELLED",
        ]
    )
    func alerts(name: String) {
        let words = TLSReason.words(LibraryError(name: name))
        #expect(!words.contains("alert") && !words.contains("sslv3") && !words.contains("tlsv1"))
        #expect(!words.contains("/build"))
    }
}
