// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Testing

@Suite("What a policy keeps away")
struct TunnelPolicyTests {
    private static let user = BasicCredential(username: "u", password: "p", passwordHash: nil)
    private static let other = BasicCredential(username: "v", password: "q", passwordHash: nil)

    @Test(
        "A policy names the protection of the one before that it lacks",
        arguments: [
            (TunnelPolicy(), TunnelPolicy(), []),
            (TunnelPolicy { $0.basicAuth = [Self.user] }, TunnelPolicy(), ["basic_auth"]),
            (TunnelPolicy { $0.basicAuth = [Self.user] }, TunnelPolicy { $0.basicAuth = [Self.other] }, []),
            (TunnelPolicy(), TunnelPolicy { $0.basicAuth = [Self.user] }, []),
            (TunnelPolicy { $0.ipAllow = ["192.0.2.0/24"] }, TunnelPolicy(), ["ip_allow"]),
            (TunnelPolicy { $0.ipAllow = ["192.0.2.0/24"] }, TunnelPolicy { $0.ipAllow = ["192.0.2.1"] }, []),
            (TunnelPolicy { $0.ipDeny = ["::1", "::2"] }, TunnelPolicy { $0.ipDeny = ["::2"] }, ["ip_deny"]),
            (TunnelPolicy { $0.ipDeny = ["::2"] }, TunnelPolicy { $0.ipDeny = ["::1", "::2"] }, []),
            (
                TunnelPolicy {
                    $0.basicAuth = [Self.user]
                    $0.ipAllow = ["192.0.2.0/24"]
                    $0.ipDeny = ["192.0.2.1"]
                }, TunnelPolicy(), ["basic_auth", "ip_allow", "ip_deny"]
            ),
        ]
    )
    func removed(before: TunnelPolicy, after: TunnelPolicy, members: [String]) {
        #expect(before.protection(removedBy: after) == members)
    }

    @Test("Who may visit is told without a password, and everybody where nothing keeps visitors away")
    func visitors() throws {
        #expect(VisitorAdmission(TunnelPolicy()).description == "everybody")
        let rules = VisitorAdmission(
            TunnelPolicy {
                $0.basicAuth = [Self.user, Self.other]
                $0.ipAllow = ["192.0.2.0/24"]
                $0.ipDeny = ["192.0.2.7"]
            }
        )
        #expect(rules.description == "with the password of u or v; from 192.0.2.0/24; not from 192.0.2.7")
        let json = String(decoding: try APICoding.makeEncoder().encode(rules), as: UTF8.self)
        #expect(json == #"{"ip_allow":["192.0.2.0/24"],"ip_deny":["192.0.2.7"],"users":["u","v"]}"#)
    }
}
