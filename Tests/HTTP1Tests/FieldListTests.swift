// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import HTTP1

@Suite("Fields that are lists")
struct FieldListTests {
    private func section(_ fields: String...) throws -> FieldSection {
        var parser = HeadParser()
        var buffer = ByteBuffer(string: "GET / HTTP/1.1\r\nHost: a\r\n\(fields.map { $0 + "\r\n" }.joined())\r\n")
        return try #require(try parser.request(&buffer)).section
    }

    @Test(
        "The members are found over all lines, without white space and empty ones, in lower case",
        arguments: [
            (["Connection: a"], ["a"]), (["Connection: A ,\tb", "CONNECTION: c"], ["a", "b", "c"]),
            (["Connection: ,, a,, ,b,"], ["a", "b"]), (["Connection:"], []), (["X: a"], []),
            (["Connection: a b"], ["a b"]),
        ]
    )
    func members(fields: [String], members: [String]) throws {
        var parser = HeadParser()
        let lines = fields.map { $0 + "\r\n" }.joined()
        var buffer = ByteBuffer(string: "GET / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n")
        let section = try #require(try parser.request(&buffer)).section
        #expect(section.tokens(.connection, atMost: 3) == members)
        #expect(members.allSatisfy { _ in section.tokens(.connection, atMost: members.count - 1) == nil })
    }

    @Test("A member is found whole, in any case, and with parameters where they may follow")
    func membership() throws {
        let section = try self.section("Connection: xclose, Closex, KEEP-alive", "TE: gzip, Trailers;q=1")
        #expect(!section.hasToken(.connection, "close"))
        #expect(section.hasToken(.connection, "keep-alive"))
        #expect(!section.hasToken(.te, "trailers"))
        #expect(section.hasToken(.te, "trailers", parametersMayFollow: true))
        #expect(!section.hasToken(.te, "trailer", parametersMayFollow: true))
        #expect(!section.hasToken(.upgrade, "websocket"))
        // The Kelvin sign, whose lower case is a k in Unicode.
        #expect(try !self.section("Connection: \u{212a}eep-alive").hasToken(.connection, "keep-alive"))
    }

    @Test("Connection names lines in any case, but for those that it can't name")
    func named() throws {
        let section = try self.section("X-One: 1", "Connection: x-two, X-ONE, x-none, cookie", "Cookie: c", "x-TWO: 2")
        // Host, X-One, Connection, Cookie, X-Two.
        #expect(section.linesNamedByConnection(except: ["cookie"]) == [false, true, false, false, true])
        #expect(section.linesNamedByConnection(except: ["cookie", "x-one", "x-two"]) == [])
        #expect(try self.section("Connection: keep-alive, Close", "Close: 1").linesNamedByConnection(except: []) == [])
        #expect(try self.section("X-One: 1").linesNamedByConnection(except: []) == [])
    }

    @Test("A host is as long as a name and a port can be, and no longer")
    func longHosts() {
        let name = String(repeating: "a", count: HeadParser.longestHost)
        #expect(HeadParser.isHost(name))
        #expect(!HeadParser.isHost(name + "a"))
    }
}
