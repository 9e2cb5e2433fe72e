// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Testing

@testable import EdgeProxy

@Suite("The tunnels that a browser opened last")
struct RecentTunnelsTests {
    private let cookie = SignedRecentTunnels(secrets: [Array(repeating: 1, count: 32), Array(repeating: 2, count: 32)])

    private func id(_ text: String) throws -> TunnelID { try #require(TunnelID(text)) }

    private func recent(_ ids: String...) throws -> RecentTunnels {
        var recent = RecentTunnels()
        for (time, id) in ids.enumerated() { _ = recent.open(try self.id(id), now: time) }
        return recent
    }

    /// The value of the cookie that `Set-Cookie` sets.
    private func value(_ recent: RecentTunnels, host: String = "edge.test") throws -> Substring {
        let field = try #require(self.cookie.setCookie(recent, host: host, isSecure: true))
        return field.dropFirst("culvert-tunnel=".count).prefix { $0 != ";" }
    }

    @Test("Four are remembered, each once, the newest first; a day is forgotten")
    func opening() throws {
        var recent = try self.recent("one", "two", "three", "four", "five")
        #expect(recent.entries.map(\.id.description) == ["five", "four", "three", "two"])
        #expect(recent.open(try self.id("three"), now: 10))
        #expect(recent.entries.map(\.id.description) == ["three", "five", "four", "two"])
        #expect(recent.open(try self.id("six"), now: RecentTunnels.lifetime + 9))
        #expect(recent.entries.map(\.id.description) == ["six", "three"])
    }

    @Test("The browser is told once in five minutes, so that caches that vary with cookies stay of use")
    func refreshing() throws {
        var recent = try self.recent("one")
        #expect(!recent.open(try self.id("one"), now: RecentTunnels.refreshTime - 1))
        #expect(recent.open(try self.id("one"), now: RecentTunnels.refreshTime))
        #expect(recent.open(try self.id("two"), now: RecentTunnels.refreshTime))
        #expect(recent.open(try self.id("one"), now: RecentTunnels.refreshTime))
    }

    @Test("What is written is read again, by any of the keys")
    func roundTrip() throws {
        let recent = try self.recent("one", "two")
        let value = try self.value(recent)
        #expect(self.cookie.read([value], host: "edge.test", now: 10) == recent)
        #expect(self.cookie.read(["x.y", value], host: "EDGE.test", now: 10) == recent)
        let rotated = SignedRecentTunnels(secrets: [Array(repeating: 3, count: 32), Array(repeating: 1, count: 32)])
        #expect(rotated.read([value], host: "edge.test", now: 10) == recent)
    }

    @Test("The cookie is the edge's alone, for the browser's session")
    func attributes() throws {
        let field = try #require(self.cookie.setCookie(try self.recent("one"), host: "edge.test", isSecure: true))
        #expect(field.hasSuffix("; Path=/; HttpOnly; SameSite=Lax; Secure"))
        let plain = try #require(self.cookie.setCookie(try self.recent("one"), host: "edge.test", isSecure: false))
        #expect(plain.hasSuffix("; Path=/; HttpOnly; SameSite=Lax"))
        #expect(SignedRecentTunnels(secrets: []).setCookie(RecentTunnels(), host: "edge.test", isSecure: true) == nil)
    }

    @Test("Another host's, another edge's, an old one and a changed one say nothing")
    func refused() throws {
        let recent = try self.recent("one", "two")
        let value = try self.value(recent)
        let other = SignedRecentTunnels(secrets: [Array(repeating: 9, count: 32)])
        #expect(self.cookie.read([value], host: "other.test", now: 10).entries.isEmpty)
        #expect(other.read([value], host: "edge.test", now: 10).entries.isEmpty)
        #expect(self.cookie.read([value], host: "edge.test", now: RecentTunnels.lifetime + 10).entries.isEmpty)
        let whole = String(value)
        for index in whole.indices {
            var changed = whole
            changed.replaceSubrange(index...index, with: whole[index] == "0" ? "1" : "0")
            #expect(self.cookie.read([changed[...]], host: "edge.test", now: 10).entries.isEmpty, "\(changed)")
        }
        for value in ["", ".", "1.one.", String(repeating: "a", count: 600)] {
            #expect(self.cookie.read([value[...]], host: "edge.test", now: 10).entries.isEmpty)
        }
    }
}
