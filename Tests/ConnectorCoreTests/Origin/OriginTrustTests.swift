// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ConnectorCore

@Suite("Which name a target with TLS is asked for")
struct OriginTrustTests {
    @Test("A literal Host is the name, without its port; what the edge writes by itself is none")
    func naming() {
        for (host, name) in [
            ("app.test", "app.test"), ("app.test:8443", "app.test"), ("192.0.2.1:8443", "192.0.2.1"),
            ("[::1]:8443", "::1"), ("localhost:8443", nil), ("localhost", nil), (nil, nil), ("a b", nil),
        ] as [(String?, String?)] {
            #expect(OriginTrust(verifies: false).naming(host).serverName == name, "\(host ?? "nothing")")
        }
        #expect(!OriginTrust(verifies: false).naming("app.test").verifies)
    }
}
