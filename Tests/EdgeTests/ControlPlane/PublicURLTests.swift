// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Testing

@testable import EdgeControl

@Suite("The URLs of a tunnel")
struct PublicURLTests {
    private func settings(_ publicURL: String, _ change: (inout ControlSettings) -> Void = { _ in }) -> ControlSettings
    {
        var settings = ControlSettings(publicURL: publicURL)
        change(&settings)
        return settings
    }

    @Test("The host's comes first where there is a wildcard domain, with the scheme and the port of the public URL")
    func hosts() throws {
        let id = try #require(TunnelID("my-app"))
        #expect(self.settings("https://edge.test").urls(of: id) == ["https://edge.test/my-app/"])
        for (publicURL, host) in [
            ("https://edge.test", "https://my-app.t.test/"), ("http://edge.test:8989", "http://my-app.t.test:8989/"),
            ("http://[::1]:8989", "http://my-app.t.test:8989/"), ("http://[::1]", "http://my-app.t.test/"),
        ] {
            let settings = self.settings(publicURL) { $0.wildcardDomain = "t.test" }
            #expect(settings.urls(of: id) == [host, "\(publicURL)/my-app/"])
            #expect(settings.url(of: id) == host)
        }
        let alone = self.settings("https://edge.test") {
            $0.wildcardDomain = "t.test"
            $0.hasPathMode = false
        }
        #expect(alone.urls(of: id) == ["https://my-app.t.test/"])
    }

    @Test("Connectors are told the host of the control API where it has one of its own")
    func apiHost() {
        #expect(self.settings("https://edge.test").apiURL == "https://edge.test")
        #expect(self.settings("https://edge.test:8443") { $0.apiHost = "api.test" }.apiURL == "https://api.test:8443")
    }
}
