// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import Testing

@testable import Inspection

@Suite("What leaves the inspector")
struct ArchiveTests {
    /// Twenty secrets, each in another place.
    private static let secrets = (0..<20).map { "SeCrEt\($0)x" }

    private static var secretive: ExchangeView {
        let s = Self.secrets
        return Captured.view(
            """
            POST /login?token=\(s[0])&keep=1&API_KEY=\(s[1])&sig=\(s[2]) HTTP/1.1\r\nHost: localhost:3000\r\n\
            Authorization: Bearer \(s[3])\r\nProxy-Authorization: Basic \(s[4])\r\nCookie: a=\(s[5]); b=\(s[6])\r\n\
            X-Api-Key: \(s[7])\r\nX-Auth-Token: \(s[8])\r\nX-CSRF-Token: \(s[9])\r\nX-My-Secret: \(s[10])\r\n\
            Referer: https://x.example/?access_token=\(s[11])\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n
            """,
            body: Array("user=me&password=\(s[12])&client_secret=\(s[13])&code=\(s[14])".utf8),
            response: """
                HTTP/1.1 302 Found\r\nSet-Cookie: sid=\(s[15]); HttpOnly\r\nset-cookie: t=\(s[16])\r\n\
                Location: /next?id_token=\(s[17])\r\nX-Refresh-Token: \(s[18])\r\nX-Amz-Security-Token: \(s[19])\r\n\r\n
                """
        )
    }

    private static func har(_ view: ExchangeView, keepsSecrets: Bool) throws -> String {
        let archive = HARLog.archive([view], version: "1", keepsSecrets: keepsSecrets) { _ in
            "https://e.example/my-app/"
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
        return String(decoding: try encoder.encode(archive), as: UTF8.self)
    }

    @Test("An archive holds none of the secrets, in no coding, unless they are asked for")
    func secretsAreLeftOut() throws {
        let text = try Self.har(Self.secretive, keepsSecrets: false)
        for secret in Self.secrets {
            #expect(!text.contains(secret), "\(secret)")
            #expect(!text.contains(Data(secret.utf8).base64EncodedString().prefix(10)), "\(secret)")
        }
        #expect(text.contains("keep=1") && text.contains("user=me"))
        let all = try Self.har(Self.secretive, keepsSecrets: true)
        for secret in Self.secrets { #expect(all.contains(secret), "\(secret)") }
    }

    @Test("An archive says sizes, times and contents, coded ones decoded, and keeps the exact bytes beside them")
    func content() throws {
        let view = Captured.view(
            "POST /x HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n\r\n",
            body: [0xFF, 0x00],
            response: "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n",
            responseBody: [0x89, 0x50]
        )
        let text = try Self.har(view, keepsSecrets: false)
        #expect(
            text.contains("\"body_base64\":\"/wA=\"")
                && text.contains("\"encoding\":\"base64\",\"mimeType\":\"image/png\"")
        )
        #expect(text.contains("\"receive\":6") && text.contains("\"wait\":6") && text.contains("\"time\":12"))
        #expect(text.contains("\"url\":\"https://e.example/my-app/x\""))
        #expect(ContentDecoding.decode([1, 2, 3], coding: "br") == nil)
        #expect(ContentDecoding.decode([1, 2, 3], coding: "gzip") == nil)
    }

    @Test(
        "An entry that no server would read as a request is left out",
        arguments: [
            #""method":"POST","url":"http://a,b/""#,
            #""method":"GET","url":"http://x/","headers":[{"name":"Host","value":"a"},{"name":"Host","value":"b"}]"#,
            #""method":"GET /x\r\n","url":"http://x/""#,
            #""method":"","url":"http://x/""#,
        ]
    )
    func unreadable(request: String) throws {
        let text = #"{"log":{"entries":[{"request":{\#(request)}},{"request":{"method":"GET","url":"http://x/"}}]}}"#
        let states = try HARImport.read(Data(text.utf8), now: Captured.start)
        let heads = states.map { String(decoding: $0.request.head, as: UTF8.self) }
        #expect(heads == ["GET / HTTP/1.1\r\nHost: x\r\n\r\n"])
    }

    @Test("An archive can be read again, and what it holds is sent as it was")
    func roundTrip() throws {
        let view = Captured.view(
            "POST /a%20b?x=1 HTTP/1.1\r\nHost: localhost:3000\r\nX-Twice: 1\r\nX-Twice: 2\r\nContent-Encoding: gzip\r\n\r\n",
            body: [0x1F, 0x8B, 0xFF, 0x00],
            response: "HTTP/1.1 418 I'm a teapot\r\nContent-Type: text/plain\r\n\r\n",
            responseBody: Array("short".utf8)
        )
        let text = try Self.har(view, keepsSecrets: false)
        let states = try HARImport.read(Data(text.utf8), now: Captured.start + TimeAmount.seconds(100))
        let state = try #require(states.first)
        #expect(state.request.head.elementsEqual(view.exchange.state.request.head))
        #expect(state.request.body.kept == [0x1F, 0x8B, 0xFF, 0x00] && state.request.body.isWhole)
        #expect(String(decoding: state.response?.body.kept ?? [], as: UTF8.self) == "short")
        #expect(state.end.map { $0 - state.began } == .milliseconds(12))
        let cut = Captured.view("POST / HTTP/1.1\r\nHost: x\r\n\r\n", body: [1], size: 9)
        let again = try HARImport.read(Data(try Self.har(cut, keepsSecrets: true).utf8), now: Captured.start)
        #expect(again.first?.request.body.isWhole == false)
        for text in ["", "{}", "[]", #"{"log":{"entries":[{}]}}"#] {
            #expect(throws: (any Error).self, "\(text)") { try HARImport.read(Data(text.utf8), now: Captured.start) }
        }
        let hostile =
            #"{"log":{"entries":[{"request":{"method":"GET /x\r\n","url":"http://x/"}},"#
            + #"{"request":{"method":"GET","url":"http://x/y","headers":[{"name":":path","value":"/"},"#
            + #"{"name":"X","value":"1\r\nY: 2"}]}}]}}"#
        let safe = try HARImport.read(Data(hostile.utf8), now: Captured.start)
        #expect(safe.map { String(decoding: $0.request.head, as: UTF8.self) } == ["GET /y HTTP/1.1\r\nHost: x\r\n\r\n"])
    }

    @Test("gzip is decoded as far as it goes, and no further than the bound")
    func decoding() throws {
        // Made by Python: gzip.compress(b"hello hello hello hello", mtime=0)
        let gzip: [UInt8] = [
            31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 203, 72, 205, 201, 201, 87, 200, 64, 39, 1, 227, 81, 61, 141, 23, 0, 0, 0,
        ]
        let whole = try #require(ContentDecoding.decode(gzip, coding: "gzip"))
        #expect(String(decoding: whole.bytes, as: UTF8.self) == "hello hello hello hello" && whole.isWhole)
        let cut = try #require(ContentDecoding.decode(Array(gzip.prefix(18)), coding: "x-gzip"))
        #expect(!cut.isWhole && "hello hello hello hello".hasPrefix(String(decoding: cut.bytes, as: UTF8.self)))
        #expect(ContentDecoding.decode(Array("plain".utf8), coding: nil)?.bytes == Array("plain".utf8))
        let bomb = try #require(ContentDecoding.decode(Self.gzip(mebibytes: 9), coding: "gzip"))
        #expect(bomb.bytes.count == ContentDecoding.limit && !bomb.isWhole)
        #expect(ContentDecoding.decode(gzip, coding: "gzip", limit: 5)?.bytes == Array("hello".utf8))
    }

    /// What gzip makes of so many mebibytes of zeros: 6 KiB for each of them.
    private static func gzip(mebibytes: Int) -> [UInt8] {
        // A literal zero, then copies of it of 258 bytes, which the fixed codes of RFC 1951 §3.2.6 write with 13 bits; the
        // end is missing, which nobody comes to.
        var bytes: [UInt8] = [31, 139, 8, 0, 0, 0, 0, 0, 2, 3]
        var (bits, count): (UInt64, UInt64) = (0, 0)
        func write(_ value: UInt64, _ width: UInt64) {
            bits |= value << count
            count += width
            while count >= 8 {
                bytes.append(UInt8(truncatingIfNeeded: bits))
                bits >>= 8
                count -= 8
            }
        }
        // The last block, of fixed codes; codes are written from their highest bit.
        write(0b011, 3)
        write(0b0000_1100, 8)
        for _ in 0..<(mebibytes << 20) / 258 {
            write(0b1010_0011, 8)
            write(0, 5)
        }
        return bytes
    }

    @Test("An archive of bodies that stand for gigabytes is no larger than what one may hold, and has their own bytes")
    func bombs() throws {
        let head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
        let body = Self.gzip(mebibytes: 2)
        let views = (0..<40).map { _ in
            Captured.view("GET / HTTP/1.1\r\nHost: x\r\n\r\n", response: head, responseBody: body)
        }
        let entries = HARLog.archive(views, version: "1", keepsSecrets: true) { _ in nil }.log.entries
        let texts = entries.compactMap(\.response.content.text)
        #expect(texts.count == views.count)
        #expect(texts.reduce(0) { $0 + $1.utf8.count } < 40 << 20)
        #expect(entries.first?.response.content.encoding == nil)
        let last = try #require(entries.last?.response.content)
        #expect(last.encoding == "base64" && last.comment == "gzip, not decoded")
        #expect(last.text.flatMap { Data(base64Encoded: $0) } == Data(body))
    }

    @Test("A line of curl quotes what a shell would read, masks secrets, and sends no field of its own")
    func curl() {
        let view = Captured.view(
            "PUT /it's?a=$(id)&token=abc HTTP/1.1\r\nHost: localhost:3000\r\nX-Empty:\r\nAuthorization: Bearer abc\r\n\r\n",
            body: Array("it's `x`\n".utf8)
        )
        let masked = CurlCommand(view, base: "http://localhost:3000", showsSecrets: false).text
        #expect(!masked.contains("abc"))
        let command = CurlCommand(view, base: "http://localhost:3000", showsSecrets: true).text
        #expect(command.contains("'http://localhost:3000/it'\\''s?a=$(id)&token=abc'"))
        #expect(command.contains("-X 'PUT'") && command.contains("-H 'X-Empty;'") && command.contains("-H 'Accept:'"))
        #expect(command.contains("--data-raw 'it'\\''s `x`\n'"))
        let binary = CurlCommand(
            Captured.view("POST / HTTP/1.1\r\nHost: x\r\n\r\n", body: [0, 255, 39]),
            base: "http://localhost",
            socketPath: "/run/app.sock",
            showsSecrets: true
        ).text
        #expect(binary.hasPrefix("printf '\\000\\377\\047' | curl "))
        #expect(binary.contains("--unix-socket '/run/app.sock'") && binary.contains("--data-binary @-"))
    }

    @Test("Masks keep what says what a secret is for")
    func masks() {
        for (name, value, masked) in [
            ("Authorization", "Bearer abc", "Bearer ••••••••"), ("authorization", "abc", "••••••••"),
            ("Cookie", "a=1; b=2", "a=••••••••; b=••••••••"),
            ("Set-Cookie", "sid=1; Path=/; HttpOnly", "sid=••••••••; Path=/; HttpOnly"), ("X-Signature", "abc", "abc"),
            ("X-Custom-Token", "abc", "••••••••"), ("Host", "x", "x"),
        ] {
            #expect(SecretNames.masked(name, value) == masked, "\(name)")
        }
        #expect(SecretNames.maskedTarget("/a?b=1&Token=x&c") == "/a?b=1&Token=••••••••&c")
        #expect(SecretNames.maskedTarget("/a?%63ode=x&state=1") == "/a?%63ode=••••••••&state=1")
        #expect(SecretNames.maskedTarget("/a?b=1#access_token=x&c") == "/a?b=1#access_token=••••••••&c")
        #expect(SecretNames.masked("Location", "http://a/?code=x") == "http://a/?code=••••••••")
    }
}
