// SPDX-License-Identifier: Apache-2.0

import RESP
import Testing

@testable import Redis

@Suite("Replies of Redis")
struct RESPReaderTests {
    private func read(_ parts: [String], limit: Int = 1 << 20) throws -> [RESPValue] {
        let reader = RESPReader(limit: limit)
        var values: [RESPValue] = []
        for part in parts {
            try Array(part.utf8).withUnsafeBytes { try reader.feed($0) }
            while let value = try reader.next() { values.append(value) }
        }
        return values
    }

    @Test("Every kind of reply is read, wherever its bytes are cut")
    func kinds() throws {
        let text = "+OK\r\n-ERR no\r\n:-7\r\n$3\r\na\r\n\r\n$-1\r\n*3\r\n:1\r\n*0\r\n*2\r\n$0\r\n\r\n$-1\r\n*-1\r\n"
        let expected: [RESPValue] = [
            .status("OK"), .error("ERR no"), .integer(-7), .string("a\r\n"), .null,
            .array([.integer(1), .array([]), .array([.string(""), .null])]), .null,
        ]
        #expect(try self.read([text]) == expected)
        #expect(try self.read(text.map(String.init)) == expected)
        for cut in 1..<text.utf8.count {
            let bytes = Array(text.utf8)
            let parts = [bytes[..<cut], bytes[cut...]].map { String(decoding: $0, as: UTF8.self) }
            #expect(try self.read(parts) == expected)
        }
    }

    @Test("A string that is no text keeps its bytes")
    func bytes() throws {
        let reader = RESPReader(limit: 1 << 20)
        try Array("*2\r\n$4\r\n".utf8 + [0xFF, 0, 0x0D, 0x0A] + "\r\n$2\r\nok\r\n".utf8).withUnsafeBytes {
            try reader.feed($0)
        }
        let words = try #require(try reader.next()?.elements)
        #expect(words == [.bytes([0xFF, 0, 0x0D, 0x0A]), .string("ok")])
        #expect(words.map(\.content) == [[0xFF, 0, 0x0D, 0x0A], Array("ok".utf8)])
    }

    @Test("What is no reply, and one that is too large, end the reading")
    func refused() {
        #expect(throws: RESPReader.Failure.self) { try self.read(["%1\r\n+a\r\n+b\r\n"]) }
        #expect(throws: RESPReader.Failure.self) { try self.read(["HTTP/1.1 200 OK\r\n"]) }
        #expect(throws: RESPReader.Failure.tooLarge(limit: 1_000)) {
            try self.read(["$5000\r\n", String(repeating: "x", count: 2_000)], limit: 1_000)
        }
        let nested = String(repeating: "*1\r\n", count: 100)
        #expect(throws: RESPReader.Failure.self) { try self.read([nested]) }
    }

    @Test("A URL says where Redis is; one with a password, or of another kind, is none")
    func urls() throws {
        let plain = try #require(RedisURL("redis://redis.example"))
        #expect(plain.place == .server(.init(host: "redis.example", port: 6379)) && !plain.isTLS && plain.user == nil)
        let full = try #require(RedisURL("rediss://edge@[2001:db8::1]:7000/"))
        #expect(full.place == .server(.init(host: "2001:db8::1", port: 7000)) && full.isTLS && full.user == "edge")
        let sentinels = try #require(RedisURL("redis+sentinel://a,b:5/main"))
        let servers = [RedisURL.Server(host: "a", port: 26_379), RedisURL.Server(host: "b", port: 5)]
        #expect(sentinels.place == .sentinels(servers, name: "main") && sentinels.hasSentinels && !sentinels.isTLS)
        let secret = try #require(RedisURL("rediss+sentinel://edge@a,b:5/main"))
        #expect(secret.place == sentinels.place && secret.isTLS && secret.user == "edge" && !full.hasSentinels)
        for text in [
            "", "redis.example", "http://a", "redis://", "redis://a:0", "redis://a:65536", "redis://a:x", "redis://a/2",
            "redis://user:password@a", "redis://@a", "redis://[::1", "redis+sentinel://a", "redis+sentinel://a,/x",
            "redis+sentinel://a/", "redis+sentinel://a/x/y", "redis://a b",
        ] {
            #expect(RedisURL(text) == nil, "\(text)")
        }
    }
}
