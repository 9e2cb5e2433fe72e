// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import EdgeProxy

@Suite("What the origin is told of its own URLs")
struct RequestURLsTests {
    private let urls = RequestURLs(
        visitorOrigin: PublicOrigin(scheme: "https", host: "edge.test"),
        prefix: "/my-app",
        origin: "http://localhost:3000"
    )

    @Test("The visitor's own origin becomes the origin's; every other stays")
    func origin() {
        for own in ["https://edge.test", "HTTPS://EDGE.TEST", "https://edge.test:443"] {
            #expect(self.urls.origin(own) == "http://localhost:3000", "\(own)")
        }
        for other in [
            "null", "https://evil.test", "http://edge.test", "https://edge.test:8443", "https://edge.test.evil",
        ] {
            #expect(self.urls.origin(other) == other)
        }
        // An edge that trusts no proxy believes its visitors to come without TLS.
        let plain = RequestURLs(
            visitorOrigin: PublicOrigin(scheme: "http", host: "edge.test"),
            prefix: "",
            origin: "http://localhost:3000"
        )
        #expect(plain.origin("https://edge.test") == "http://localhost:3000")
        #expect(plain.origin("http://edge.test") == "http://localhost:3000")
    }

    @Test(
        "Referer loses the prefix with the host",
        arguments: [
            ("https://edge.test/my-app/a?b", "http://localhost:3000/a?b"),
            ("https://edge.test/my-app", "http://localhost:3000/"),
            ("https://edge.test/my-app?x", "http://localhost:3000/?x"),
            ("https://edge.test/items/3", "http://localhost:3000/items/3"),
            ("https://edge.test/my-apps/", "http://localhost:3000/my-apps/"),
            ("https://edge.test", "http://localhost:3000"),
            ("https://evil.test/my-app/", "https://evil.test/my-app/"), ("/my-app/", "/my-app/"),
        ]
    )
    func referer(_ value: String, _ expected: String) {
        #expect(self.urls.referer(value) == expected)
    }

    @Test(
        "Destination names the origin's place, and one outside of the tunnel stays outside",
        arguments: [
            ("https://edge.test/my-app/b", "http://localhost:3000/b"), ("/my-app/b", "/b"), ("/other/b", "/other/b"),
            ("https://edge.test/other/b", "https://edge.test/other/b"),
            ("http://evil.test/my-app/b", "http://evil.test/my-app/b"),
            ("//edge.test/my-app/b", "//edge.test/my-app/b"),
        ]
    )
    func destination(_ value: String, _ expected: String) {
        #expect(self.urls.destination(value) == expected)
    }

    @Test("If names the origin's resources; state tokens and tags in lists are not URLs")
    func conditions() {
        #expect(
            self.urls.conditions(
                "<https://edge.test/my-app/a> (<urn:uuid:1> [\"x\"]) (Not <https://edge.test/my-app/b>)"
            )
                == "<http://localhost:3000/a> (<urn:uuid:1> [\"x\"]) (Not <https://edge.test/my-app/b>)"
        )
        #expect(self.urls.conditions("<https://edge.test/my-app/a") == "<https://edge.test/my-app/a")
    }

    @Test("Where Host is preserved, so are Origin and Referer; Destination loses the prefix only")
    func preserved() {
        let urls = RequestURLs(visitorOrigin: self.urls.visitorOrigin, prefix: self.urls.prefix, origin: nil)
        #expect(urls.origin("https://edge.test") == "https://edge.test")
        #expect(urls.referer("https://edge.test/my-app/a") == "https://edge.test/my-app/a")
        #expect(urls.destination("https://edge.test/my-app/a") == "https://edge.test/a")
    }
}
