// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Testing

@testable import EdgeProxy

@Suite("Requests that lack a tunnel's prefix")
struct PathFallbackTests {
    /// What a browser says, with what most requests have.
    struct Signals {
        var method = "GET"
        var target = "/x"
        var isUpgrade = false
        var isNavigation = false
        var site: String? = "same-origin"
        var isServiceWorker = false
        var origin: String?
        var referer: String?
        var opened: [(String, Int)] = [("one", 100)]
    }

    private static let now = 1_000

    /// What becomes of a request, where the tunnels `one`, `two`, `app` and `off` exist, the third at `/`, the
    /// last without fallback.
    private func decision(_ change: (inout Signals) -> Void = { _ in }) throws -> PathFallback.Decision {
        var signals = Signals()
        change(&signals)
        let fallback = PathFallback(
            method: signals.method,
            target: signals.target,
            isUpgrade: signals.isUpgrade,
            isNavigation: signals.isNavigation,
            site: signals.site,
            isServiceWorker: signals.isServiceWorker,
            origin: signals.origin,
            referer: signals.referer,
            own: PublicOrigin(scheme: "https", host: "edge.test"),
            recent: RecentTunnels(
                try signals.opened.map { id, age in
                    RecentTunnels.Entry(id: try self.id(id), openedAt: Self.now - age)
                }
            )
        )
        return fallback.decision(now: Self.now) { id in
            switch id.description {
            case "one", "two": .prefix
            case "app": .root
            case "off": .declined
            default: nil
            }
        }
    }

    private func id(_ text: String) throws -> TunnelID { try #require(TunnelID(text)) }

    @Test("A page of the tunnel leads what it asks for to the tunnel, whatever was opened last")
    func referer() throws {
        let one = try self.id("one")
        for referer in ["https://edge.test/one/", "https://EDGE.test:443/one/a/b?c#d", "https://edge.test/one"] {
            let decision = try self.decision {
                $0.referer = referer
                $0.opened = [("two", 1)]
            }
            #expect(decision == .redirect(one), "\(referer)")
        }
    }

    @Test("What the page of a tunnel that is gone asks for reaches no other tunnel")
    func gone() throws {
        for opened in [[("gone", 9), ("one", 100)], [("one", 9), ("gone", 100)]] {
            let byReferer = try self.decision {
                $0.method = "POST"
                $0.referer = "https://edge.test/gone/"
                $0.opened = opened
            }
            let byPath = try self.decision {
                $0.target = "/gone/save?a=b"
                $0.opened = opened
            }
            let handshake = try self.decision {
                $0.isUpgrade = true
                $0.origin = "https://edge.test"
                $0.opened = opened
            }
            #expect(byReferer == .none && byPath == .none)
            #expect(try handshake == .ambiguous([self.id("one")]))
        }
        // A path of the app that looks like a tunnel is the app's all the same.
        let login = try self.decision {
            $0.target = "/login"
            $0.referer = "https://edge.test/login"
        }
        #expect(try login == .redirect(self.id("one")))
    }

    @Test("A tunnel that wants no such requests keeps its pages' from the others")
    func declined() throws {
        let decision = try self.decision { $0.referer = "https://edge.test/off/" }
        #expect(decision == .none)
        #expect(try self.decision { $0.opened = [("off", 1)] } == .none)
    }

    @Test(
        "Methods that a redirect would repeat are routed inside",
        arguments: ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"]
    )
    func methods(_ method: String) throws {
        let decision = try self.decision {
            $0.method = method
            $0.origin = "https://edge.test"
            $0.referer = "https://edge.test/one/form"
        }
        #expect(try decision == .route(self.id("one")))
    }

    @Test("A WebSocket, which has only the origin and the cookie, is routed to the one tunnel that is open")
    func webSocket() throws {
        func handshake(_ change: (inout Signals) -> Void = { _ in }) throws -> PathFallback.Decision {
            try self.decision {
                $0.isUpgrade = true
                $0.site = nil
                $0.origin = "https://edge.test"
                change(&$0)
            }
        }
        #expect(try handshake() == .route(self.id("one")))
        #expect(try handshake { $0.origin = "https://evil.test" } == .none)
        #expect(try handshake { $0.origin = "https://edge.test.evil.test" } == .none)
        #expect(try handshake { $0.origin = "http://edge.test" } == .none)
        #expect(try handshake { $0.origin = nil } == .none)
        #expect(try handshake { $0.origin = "null" } == .none)
        #expect(
            try handshake { $0.opened = [("one", 5), ("two", 60)] } == .ambiguous([self.id("one"), self.id("two")])
        )
    }

    @Test(
        "Nothing that another site has asked for is led anywhere",
        arguments: ["cross-site", "same-site", "none", "unheard-of"]
    )
    func otherSites(_ site: String) throws {
        for referer in [nil, "https://edge.test/one/"] {
            let decision = try self.decision {
                $0.site = site
                $0.referer = referer
            }
            #expect(decision == .none)
        }
    }

    @Test("A typed address is led to the tunnel that was opened last; a POST can't be typed")
    func typed() throws {
        #expect(
            try self.decision {
                $0.site = "none"
                $0.isNavigation = true
            } == .redirect(self.id("one"))
        )
        #expect(
            try self.decision {
                $0.site = "none"
                $0.isNavigation = true
                $0.method = "POST"
            } == .none
        )
    }

    @Test(
        "The page of another site decides, even where the browser says nothing else",
        arguments: [
            "https://evil.test/one/", "https://edge.test.evil.test/one/", "http://edge.test/one/", "about:blank", "",
        ]
    )
    func foreignReferer(_ referer: String) throws {
        for site in [nil, "same-origin"] {
            let decision = try self.decision {
                $0.site = site
                $0.referer = referer
            }
            #expect(decision == .none)
        }
    }

    @Test("A form of a page that hides where it is counts only where the browser says whose it is")
    func hiddenOrigin() throws {
        for (site, isRouted) in [("same-origin", true), (nil, false)] {
            let decision = try self.decision {
                $0.method = "POST"
                $0.origin = "null"
                $0.site = site
            }
            #expect(try decision == (isRouted ? .route(self.id("one")) : .none))
        }
    }

    @Test("A service worker, which would own every tunnel, is led to none")
    func serviceWorker() throws {
        #expect(
            try self.decision {
                $0.isServiceWorker = true
                $0.referer = "https://edge.test/one/"
            } == .none
        )
    }

    @Test("Where the cookie alone decides, two tunnels opened within half an hour are ambiguous")
    func ambiguous() throws {
        let both = PathFallback.Decision.ambiguous([try self.id("two"), try self.id("one")])
        #expect(try self.decision { $0.opened = [("two", 1), ("one", 1_000 - 1)] } == both)
        #expect(
            try self.decision {
                $0.opened = [("two", 1), ("one", 60)]
                $0.referer = "https://edge.test/items/3"
            } == both
        )
        // One that was opened long ago is no rival; one that does not exist any more may have a page open all the same.
        #expect(try self.decision { $0.opened = [("two", 1), ("one", 1_800)] } == .redirect(self.id("two")))
        #expect(try self.decision { $0.opened = [("gone", 0), ("two", 1)] } == .ambiguous([self.id("two")]))
    }

    @Test("A page opened from nobody knows where is asked about and not guessed")
    func unknownNavigation() throws {
        #expect(
            try self.decision {
                $0.site = nil
                $0.isNavigation = true
            } == .ambiguous([self.id("one")])
        )
        #expect(try self.decision { $0.site = nil } == .redirect(self.id("one")))
    }

    @Test("A tunnel at / has all that names no other tunnel while it is the last one that was opened")
    func root() throws {
        let app = try self.id("app")
        for method in ["GET", "POST"] {
            #expect(
                try self.decision {
                    $0.method = method
                    $0.opened = [("app", 5), ("one", 6)]
                } == .root(app)
            )
        }
        let fromOther = try self.decision {
            $0.opened = [("app", 5), ("one", 6)]
            $0.referer = "https://edge.test/one/"
        }
        #expect(try fromOther == .redirect(self.id("one")))
        let later = try self.decision { $0.opened = [("one", 5), ("app", 6)] }
        #expect(try later == .ambiguous([self.id("one"), app]))
    }

    @Test("Without a page and without a cookie there is nothing to go by")
    func nothing() throws {
        #expect(try self.decision { $0.opened = [] } == .none)
        #expect(
            try self.decision {
                $0.opened = []
                $0.referer = "https://edge.test/items/3"
            } == .none
        )
    }
}
