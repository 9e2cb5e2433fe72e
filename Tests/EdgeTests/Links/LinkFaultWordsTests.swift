// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import EdgeLinks

@Suite("Why another edge could not be reached")
struct LinkFaultWordsTests {
    /// As the TLS library describes itself.
    private struct LibraryError: Error, CustomStringConvertible {
        let name: String
        var description: String {
            "handshakeFailed(NIOSSL.BoringSSLError.sslError([Error: 268435581 error:1000007d:SSL routines:OPENSSL_internal:"
                + "\(self.name) at /build/checkouts/swift-nio-ssl/handshake.cc:382]))"
        }
    }

    @Test("It is said in words, without types of a library and files of the machine that built it")
    func words() {
        for (name, words) in [
            ("CERTIFICATE_VERIFY_FAILED", "its certificate is of no authority that cluster.tls.ca names"),
            ("TLSV1_ALERT_UNKNOWN_CA", "it takes no certificate of this edge's authority: see its cluster.tls.ca"),
            (
                "TLSV1_ALERT_CERTIFICATE_REQUIRED",
                "it takes no certificate of this edge's authority: see its cluster.tls.ca"
            ),
            ("WRONG_VERSION_NUMBER", "it does not encrypt links, and this edge does: see its cluster.tls"),
            ("BAD_SIGNATURE", "the TLS library says “bad signature”"),
        ] {
            #expect(LinkFaultWords.of(LibraryError(name: name)) == words)
        }
        #expect(LinkFaultWords.of(IOError(errnoCode: 111, reason: "connect")) == "connection refused")
        #expect(LinkFaultWords.of(ChannelError.connectTimeout(.seconds(2))) == "no answer in time")
        #expect(LinkFaultWords.of(LinkDialer.Failure.timedOut) == "no answer in time")
    }
}
