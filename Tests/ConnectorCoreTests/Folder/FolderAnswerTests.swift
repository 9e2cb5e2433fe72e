// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOHTTP1
import Testing

@testable import ConnectorCore

@Suite("A shared folder")
struct FolderAnswerTests {
    /// A folder with a page, a text and what must not be shared; it goes when the value does.
    private final class Site: Sendable {
        let path: String
        let outside: String

        init() throws {
            self.path = NSTemporaryDirectory() + "culvert-site-\(UUID().uuidString)"
            self.outside = self.path + "-outside"
            let files = FileManager.default
            for folder in [self.path + "/sub/deep", self.path + "/.git", self.path + "/site", self.outside] {
                try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
            }
            for (name, text) in [
                "a.txt": "0123456789", "sub/b c&<.txt": "b", ".env": "secret", ".git/config": "secret",
                "site/index.html": "<h1>site", "empty": "",
            ] {
                try Data(text.utf8).write(to: URL(fileURLWithPath: self.path + "/" + name))
            }
            try Data("outside".utf8).write(to: URL(fileURLWithPath: self.outside + "/secret.txt"))
            try files.createSymbolicLink(atPath: self.path + "/link", withDestinationPath: self.outside)
            try files.createSymbolicLink(
                atPath: self.path + "/link.txt",
                withDestinationPath: self.outside + "/secret.txt"
            )
            guard mkfifo(self.path + "/pipe", 0o600) == 0 else { throw CocoaError(.fileWriteUnknown) }
        }

        deinit {
            try? FileManager.default.removeItem(atPath: self.path)
            try? FileManager.default.removeItem(atPath: self.outside)
        }

        func answer(_ target: String, _ fields: HTTPHeaders = [:], method: HTTPMethod = .GET) throws -> FolderAnswer {
            let folder = try #require(SharedFolder(path: self.path))
            return FolderAnswer(
                to: HTTPRequestHead(version: .http1_1, method: method, uri: target, headers: fields),
                from: folder
            )
        }
    }

    @Test("A folder that is made again is shared as it is then; one that is away is told as such")
    func replaced() throws {
        let site = try Site()
        let folder = try #require(SharedFolder(path: site.path))
        let answer = { FolderAnswer(to: HTTPRequestHead(version: .http1_1, method: .GET, uri: "/a.txt"), from: folder) }
        #expect(answer().status == .ok)
        try FileManager.default.removeItem(atPath: site.path)
        #expect(answer().status == .serviceUnavailable)
        try FileManager.default.createDirectory(atPath: site.path, withIntermediateDirectories: false)
        #expect(answer().status == .notFound)
        try Data("anew".utf8).write(to: URL(fileURLWithPath: site.path + "/a.txt"))
        #expect(try self.text(answer()) == "anew")
    }

    @Test(
        "A file that holds a key or a token is nobody's to read, whatever it is called",
        arguments: [
            ("signing-keys.json", "[]"), ("api-keys.json", "[]"), ("inbox.key", "AAAA"), ("login.json", "{}"),
            ("tls.key", "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"),
            ("both.pem", "-----BEGIN CERTIFICATE-----\nMII\n-----BEGIN RSA PRIVATE KEY-----\nMII\n"),
            ("id", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3B\n"),
            ("key", "cvk_0123456789abcdefghijklmnopqrstuv\n"),
            ("x.env", "CULVERT_API_KEY=cvk_0123456789abcdefghijklmnop"),
            ("token.txt", "eyJhbGciOiJIUzI1NiJ9.eyJ0aWQiOiJ4In0.c2lnbmF0dXJl\n"),
        ]
    )
    func secrets(name: String, text: String) throws {
        let site = try Site()
        try Data(text.utf8).write(to: URL(fileURLWithPath: site.path + "/" + name))
        let answer = try site.answer("/" + name)
        #expect(answer.status == .forbidden)
        #expect(try self.text(answer) == "This file holds a key or a token, and is not shared.")
    }

    @Test(
        "A file that speaks of keys is shared",
        arguments: [
            "The key is cvk_…, of 36 letters.", "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n",
            "eyJhbGciOiJIUzI1NiJ9 begins a token", "eyJ.a.b and more", "a PRIVATE KEY", "cvk_short",
        ]
    )
    func noSecrets(text: String) throws {
        let site = try Site()
        try Data(text.utf8).write(to: URL(fileURLWithPath: site.path + "/a.txt"))
        #expect(try site.answer("/a.txt").status == .ok)
    }

    private func text(_ answer: FolderAnswer) throws -> String {
        switch answer.body {
        case .none: return ""
        case .text(let text): return text
        case .part(let file, let range):
            var bytes = [UInt8](repeating: 0, count: range.count)
            let count = bytes.withUnsafeMutableBytes { file.read(at: range.lowerBound, into: $0) }
            #expect(count == range.count)
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    @Test("A file is answered with its bytes, type and validators")
    func file() throws {
        let answer = try Site().answer("/a.txt?v=1")
        #expect(answer.status == .ok)
        #expect(try self.text(answer) == "0123456789")
        #expect(answer.headers.first(name: "Content-Type") == "text/plain; charset=utf-8")
        #expect(answer.headers.first(name: "Content-Length") == "10")
        #expect(answer.headers.first(name: "Last-Modified")?.hasSuffix(" GMT") == true)
        #expect(answer.headers.first(name: "X-Content-Type-Options") == "nosniff")
    }

    @Test(
        "Nothing outside of the folder is shared, nor what begins with a dot, nor links, nor what is no file",
        arguments: [
            "/../a", "/sub/../../a", "/%2e%2e/a", "/%2E./a", "/..%2fa", "/sub%2fb", "/link/secret.txt", "/link.txt",
            "/link", "/link/", "/.env", "/%2eenv", "/.git/config", "/sub/.", "/pipe", "//etc/passwd", "/sub//deep",
            "/a.txt/", "/a.txt/x", "/a%00.txt", "/%zz", "/%f", "/%ff", "/none", "*", "http://x/a.txt", "", "a.txt",
            "/..", "/.", "/sub/..", "/..;/a", "/\\..\\a",
        ]
    )
    func hidden(target: String) throws {
        let answer = try Site().answer(target)
        #expect(answer.status == .notFound)
        let isDoubled = target.hasPrefix("/") && target.contains("//")
        let reason = isDoubled ? ": the path has two slashes in a row." : "."
        #expect(try self.text(answer) == "There is no such file" + reason)
    }

    @Test("A folder is listed, or shows its index; without a slash it is asked for again")
    func folders() throws {
        let site = try Site()
        let root = try site.answer("/")
        let page = try self.text(root)
        #expect(root.status == .ok)
        for name in ["a.txt", "sub/", "site/", "empty"] { #expect(page.contains("href=\"\(name)\"")) }
        for name in [".env", ".git", "link", "pipe", "../"] { #expect(!page.contains(name)) }
        let sub = try self.text(try site.answer("/sub/"))
        #expect(sub.contains("<a href=\"b%20c%26%3C.txt\">b c&amp;&lt;.txt</a>"))
        #expect(sub.contains("../"))
        #expect(try self.text(try site.answer("/site/")) == "<h1>site")
        let moved = try site.answer("/sub?x=/y")
        #expect(moved.status == .permanentRedirect)
        #expect(moved.headers.first(name: "Location") == "/sub/?x=/y")
        #expect(try self.text(try site.answer("/sub/b%20c%26%3c.txt")) == "b")
    }

    @Test(
        "A range is answered with its part (RFC 9110 §14)",
        arguments: [
            ("bytes=0-3", "0123", "bytes 0-3/10"), ("bytes=4-", "456789", "bytes 4-9/10"),
            ("bytes=-2", "89", "bytes 8-9/10"), ("bytes=8-100", "89", "bytes 8-9/10"),
            ("bytes=-100", "0123456789", "bytes 0-9/10"), ("BYTES=9-9", "9", "bytes 9-9/10"),
        ]
    )
    func part(range: String, bytes: String, field: String) throws {
        let answer = try Site().answer("/a.txt", ["Range": range])
        #expect(answer.status == .partialContent)
        #expect(try self.text(answer) == bytes)
        #expect(answer.headers.first(name: "Content-Range") == field)
        #expect(answer.headers.first(name: "Content-Length") == "\(bytes.count)")
    }

    @Test("A range that the file does not have is refused, one in another form ignored")
    func otherRanges() throws {
        let site = try Site()
        for range in ["bytes=10-", "bytes=10-11", "bytes=-0"] {
            let answer = try site.answer("/a.txt", ["Range": range])
            #expect(answer.status == .rangeNotSatisfiable, "\(range)")
            #expect(answer.headers.first(name: "Content-Range") == "bytes */10")
        }
        for range in [
            "bytes=3-1", "bytes=0-1,3-4", "lines=1-2", "bytes=", "bytes=-", "bytes=a-b", "bytes=1-2-3",
            "bytes=99999999999999999999-",
        ] {
            #expect(try site.answer("/a.txt", ["Range": range]).status == .ok, "\(range)")
        }
        #expect(try site.answer("/empty", ["Range": "bytes=0-"]).status == .rangeNotSatisfiable)
        #expect(try site.answer("/a.txt", ["Range": "bytes=0-1", "If-Range": "\"other\""]).status == .ok)
    }

    @Test("Who has the file already is told so, and nothing but GET and HEAD is possible")
    func conditions() throws {
        let site = try Site()
        let first = try site.answer("/a.txt")
        let tag = try #require(first.headers.first(name: "ETag"))
        let date = try #require(first.headers.first(name: "Last-Modified"))
        #expect(try site.answer("/a.txt", ["If-None-Match": "\"x\", \(tag)"]).status == .notModified)
        #expect(try site.answer("/a.txt", ["If-Modified-Since": date]).status == .notModified)
        #expect(try site.answer("/a.txt", ["If-None-Match": "\"x\"", "If-Modified-Since": date]).status == .ok)
        #expect(try site.answer("/a.txt", ["Range": "bytes=0-1", "If-Range": tag]).status == .partialContent)
        for method in [HTTPMethod.POST, .PUT, .DELETE, .OPTIONS] {
            let answer = try site.answer("/a.txt", method: method)
            #expect(answer.status == .methodNotAllowed)
            #expect(answer.headers.first(name: "Allow") == "GET, HEAD")
        }
        #expect(try site.answer("/a.txt", ["Range": "bytes=0-1"], method: .HEAD).headers["Content-Length"] == ["10"])
    }

    @Test("A target that begins like a path is a folder", arguments: ["./x", "/x", "../x", "~/x", ".", ".."])
    func isFolder(text: String) {
        #expect(FolderServer.isFolder(text))
    }

    @Test("Ports, hosts and URLs are no folders", arguments: ["3000", "x:1", "http://x/", "unix:/x", ":80", "x"])
    func isNoFolder(text: String) {
        #expect(!FolderServer.isFolder(text))
    }

    @Test("Tunnels of a file that share one folder have one server, which goes when the program does")
    func severalTunnels() async throws {
        let site = try Site()
        let servers = FolderServers()
        await #expect(throws: CommandFailure.self) { try await servers.target(of: "/no/such/folder") }
        let targets = [
            try await servers.target(of: site.path), try await servers.target(of: site.path),
            try await servers.target(of: site.path + "/"),
        ]
        #expect(targets[0] == targets[1] && targets[0] != targets[2])
        #expect(targets.allSatisfy { $0.folder == nil && FileManager.default.fileExists(atPath: $0.address) })
        servers.stop()
        #expect(targets.allSatisfy { !FileManager.default.fileExists(atPath: $0.address) })
    }

    @Test("What is no folder is refused, and a socket is for its user alone")
    func start() async throws {
        await #expect(throws: CommandFailure.self) { try await FolderServer.start(sharing: "/no/such/folder") }
        let site = try Site()
        await #expect(throws: CommandFailure.self) { try await FolderServer.start(sharing: site.path + "/a.txt") }
        let server = try await FolderServer.start(sharing: site.path, temporaryFolder: "/tmp")
        #expect("\(server.target)" == site.path)
        let folder = (server.target.address as NSString).deletingLastPathComponent
        let mode = try FileManager.default.attributesOfItem(atPath: folder)[.posixPermissions] as? Int
        #expect(mode == 0o700)
        server.stop()
        #expect(!FileManager.default.fileExists(atPath: folder))
    }
}
