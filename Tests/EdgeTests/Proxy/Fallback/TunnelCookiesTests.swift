// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Testing

@testable import EdgeProxy

@Suite("Cookies of tunnels that share an origin")
struct TunnelCookiesTests {
    private func cookies() throws -> TunnelCookies { TunnelCookies(id: try #require(TunnelID("my-app"))) }

    @Test(
        "A cookie of the app is kept a second time for the path that the app meant, out of reach of scripts",
        arguments: [
            ("sid=1", "culvert.my-app.sid=1; Path=/; HttpOnly"),
            ("sid=1; Path=/admin; Secure", "culvert.my-app.sid=1; Path=/admin; HttpOnly; Secure"),
            (
                "sid=1; path=/my-app/x; HTTPONLY; SameSite=None",
                "culvert.my-app.sid=1; Path=/x; HttpOnly; SameSite=None"
            ),
            ("sid=1; Path=/my-app", "culvert.my-app.sid=1; Path=/; HttpOnly"),
            ("sid=1; Path=/my-apps", "culvert.my-app.sid=1; Path=/my-apps; HttpOnly"),
            ("sid=; Max-Age=0; Domain=edge.test", "culvert.my-app.sid=; Path=/; HttpOnly; Max-Age=0"),
            ("__Secure-a=b=c; Path=x", "culvert.my-app.__Secure-a=b=c; Path=/; HttpOnly"),
        ]
    )
    func second(_ cookie: String, _ second: String) throws {
        #expect(try self.cookies().second(of: cookie) == second)
    }

    @Test("One that is for / in any case, one without a name and one with a name of ours get no second")
    func noSecond() throws {
        for cookie in ["__Host-a=b; Path=/; Secure", "a", "=b", "culvert-tunnel=x", "culvert.other.sid=1"] {
            #expect(try self.cookies().second(of: cookie) == nil, "\(cookie)")
        }
        #expect(TunnelCookies.isOurs(setCookie: " culvert.other.sid = 1; Path=/"))
        #expect(TunnelCookies.isOurs(setCookie: "culvert-tunnel=x"))
        #expect(!TunnelCookies.isOurs(setCookie: "culverts=x"))
    }

    @Test("The app sees its own cookies, under its own names, and nothing of the edge's or of others")
    func forApp() throws {
        let value = "a=1; culvert-tunnel=x; culvert.my-app.sid=2; culvert.other.sid=3; culvert.my-app.a=9; culverts=4"
        let cookies = try self.cookies()
        #expect(cookies.forApp(value, takesSeconds: false) == "a=1; culverts=4")
        #expect(cookies.forApp(value, takesSeconds: true) == "a=1; culverts=4; sid=2")
        #expect(cookies.forApp("culvert-tunnel=x", takesSeconds: true) == "")
    }

    @Test("At / what scripts may not see is kept under a name of ours alone")
    func root() throws {
        let shared = SharedOrigin(cookies: try self.cookies(), keepsSeconds: true, isRoot: true)
        #expect(
            shared.cookies(of: "sid=1; HttpOnly", first: "sid=1; HttpOnly") == [
                "culvert.my-app.sid=1; Path=/; HttpOnly"
            ]
        )
        #expect(shared.cookies(of: "theme=dark", first: "theme=dark") == ["theme=dark"])
        #expect(shared.cookies(of: "culvert-tunnel=x", first: "culvert-tunnel=x").isEmpty)
    }

    @Test(
        "At / no cache between the edge and the browser keeps an answer",
        arguments: [
            ("max-age=60", "private, no-cache, max-age=60"), ("immutable", "private, no-cache"),
            ("public, s-maxage=9, max-age=1", "private, no-cache, max-age=1"),
            ("no-store", "private, no-cache, no-store"), ("", "private, no-cache"),
        ]
    )
    func caches(_ value: String, _ changed: String) throws {
        let root = SharedOrigin(cookies: try self.cookies(), keepsSeconds: true, isRoot: true)
        #expect(root.cacheControl(value) == changed)
        let path = SharedOrigin(cookies: try self.cookies(), keepsSeconds: true, isRoot: false)
        #expect(path.cacheControl(value) == value)
    }

    @Test(
        "A cookie without a path that browsers take gets that of the tunnel where the request lacked the prefix",
        arguments: [
            ("sid=1", "sid=1; Path=/one/api"), ("sid=1; Path=x", "sid=1; Path=x; Path=/one/api"),
            ("sid=1; Path=/; path=", "sid=1; Path=/; path=; Path=/one/api"), ("sid=1; Path=/one/", "sid=1; Path=/one/"),
            ("__Host-sid=1; Path=/; Secure", "__Host-sid=1; Path=/; Secure"),
        ]
    )
    func defaultPath(_ cookie: String, _ changed: String) {
        #expect(TunnelCookies.withPath("/one/api", cookie) == changed)
    }

    @Test(
        "A cookie without a name is no way to set one of the edge's",
        arguments: ["=culvert-tunnel=x", "==culvert.a.b=1"]
    )
    func nameless(_ cookie: String) {
        #expect(TunnelCookies.isOurs(setCookie: cookie))
        #expect(!TunnelCookies.isOurs(setCookie: "=plain"))
    }
}
