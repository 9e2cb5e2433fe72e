// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Testing

@testable import ConnectorCore

@Suite("A tunnel that is served")
struct ServedTunnelTests {
    @Test(
        "Who asked for another host than the edge gives is told where the tunnel is",
        arguments: [
            ("https://my-app.tunnels.example.com", "my-app.tunnels.example.com", true),
            ("https://my-app.tunnels.example.com:8443", "My-App.Tunnels.example.com", true),
            ("https://my-app.tunnels.example.com", "my-app.example.org", false),
            ("https://tunnel.example.com/my-app/", "my-app.example.org", false),
        ]
    )
    func askedHost(url: String, host: String, isGiven: Bool) throws {
        let sentence = ServedTunnel.sentence(askedFor: host, givenURL: url)
        #expect((sentence == nil) == isGiven)
        if let sentence {
            #expect(sentence.contains(url))
            #expect(sentence.contains(host))
        }
    }
}
