// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Protocol
import Testing

@testable import Edge
@testable import EdgeTunnels

@Suite("The networks of a policy")
struct PolicyNetworkTests {
    @Test("What the schema takes for a network is what the edge can compare addresses with")
    func agreement() {
        let addresses = [
            "192.0.2.7", "0.0.0.0", "255.255.255.255", "256.0.0.1", "010.0.0.1", "10.0.0", "1", "::", "::1",
            "2001:DB8::",
            "::ffff:192.0.2.0", "::192.0.2.0", "fe80::1%lo", "[::1]", "g::", "", " ::", "10.0.0.1\u{0}", "é",
            "1.2.3.4:80",
        ]
        let lengths = [
            "", "/", "/0", "/1", "/32", "/33", "/95", "/96", "/128", "/129", "/-0", "/+1", "/08", "/8/8", "/x",
        ]
        var valid = 0
        for address in addresses {
            for length in lengths {
                let text = address + length
                #expect(TextSyntax.network.isValid(text) == (AddressRange(text) != nil), "\(text.debugDescription)")
                valid += TextSyntax.network.isValid(text) ? 1 : 0
            }
        }
        #expect((40..<200).contains(valid))
    }
}
