// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Testing

@testable import ConnectorCore

@Suite("The warning of a tunnel that lets in more visitors than before")
struct RemovedProtectionTests {
    private func warning(_ removed: [String]?) -> String? {
        let tunnel = CreateTunnelResponse(
            tunnelID: "my-app",
            name: "my-app",
            url: "https://edge.example/my-app/",
            token: "t",
            expiresAt: Date(timeIntervalSince1970: 0),
            policyRemoved: removed
        )
        return RemovedProtection(tunnel)?.description
    }

    @Test("It says what is gone and which options bring it back")
    func words() {
        #expect(self.warning(nil) == nil)
        #expect(self.warning([]) == nil)
        // A later edge may know members that this connector does not.
        #expect(self.warning(["another"]) == nil)
        #expect(
            self.warning(["basic_auth", "ip_allow"])
                == "my-app asked visitors for a password and let in some addresses alone until now, and does not any more: "
                + "this command replaced its policy. Give --basic-auth-file and --ip-allow again to have that back."
        )
    }
}
