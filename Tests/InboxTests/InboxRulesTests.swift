// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Testing

@testable import EdgeInbox

@Suite("What an inbox keeps")
struct InboxRulesTests {
    @Test(
        "an asterisk stays within a segment, two go beyond",
        arguments: [
            ("/hooks/*", "/hooks/github", true), ("/hooks/*", "/hooks/", true), ("/hooks/*", "/hooks/a/b", false),
            ("/hooks/**", "/hooks/a/b", true), ("/**", "/", true), ("/hooks", "/hooks", true),
            ("/hooks", "/hooks/", false), ("/*/hook", "/a/hook", true), ("/*/hook", "/a/b/hook", false),
            ("/**/hook", "/a/b/hook", true), ("/**/*.json", "/a/b/c.json", true), ("/a*b*c", "/aXbYbZc", true),
            ("/a*b*c", "/aXbY/bZc", false), ("/a*/b**z", "/aq/b/q/z", true), ("/a*/b**z", "/a/q/b/z", false),
            ("/hooks/*", "/HOOKS/a", false), ("/a%2Fb", "/a/b", false), ("/***", "/a/b", true),
        ]
    )
    func pattern(_ pattern: String, _ path: String, _ expected: Bool) {
        #expect(PathPattern(pattern).matches(Array(path.utf8)) == expected)
    }

    @Test("A pattern agrees with a search over all ways to match it")
    func search() {
        func matches(_ pattern: Substring, _ path: Substring) -> Bool {
            if pattern.hasPrefix("**") {
                let rest = pattern.dropFirst(2)
                return path.indices.contains { matches(rest, path[$0...]) } || matches(rest, "")
            }
            guard let first = pattern.first else { return path.isEmpty }
            if first == "*" {
                var rest = path
                while true {
                    if matches(pattern.dropFirst(), rest) { return true }
                    guard let next = rest.first, next != "/" else { return false }
                    rest = rest.dropFirst()
                }
            }
            return path.first == first && matches(pattern.dropFirst(), path.dropFirst())
        }
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let pieces = ["a", "b", "/", "*", "**"]
            var pattern = ""
            for _ in 0..<Int.random(in: 1...7, using: &generator) {
                let piece = pieces.randomElement(using: &generator) ?? "a"
                pattern += pattern.hasSuffix("*") && piece.hasPrefix("*") ? "a" : piece
            }
            let path = String((0..<Int.random(in: 0...9, using: &generator)).map { _ in "ab/".randomElement() ?? "a" })
            #expect(
                PathPattern(pattern).matches(Array(path.utf8)) == matches(pattern[...], path[...]),
                "\(pattern) \(path)"
            )
        }
    }

    @Test("A path beyond the bound is nobody's, and costs nothing")
    func longPath() {
        let path = [UInt8](repeating: UInt8(ascii: "/"), count: PathPattern.longest)
        #expect(PathPattern("/**").matches(path))
        #expect(!PathPattern("/**").matches(path + [UInt8(ascii: "a")]))
    }

    @Test("The method and the path decide, and the query does not")
    func verdict() {
        var settings = InboxSettings()
        settings.paths = ["/hooks/*"]
        let rules = InboxRules(settings)
        #expect(rules.verdict(method: "POST", target: "/hooks/a?x=/b/c") == .keep)
        #expect(rules.verdict(method: "GET", target: "/hooks/a") == .pass)
        #expect(rules.verdict(method: "POST", target: "/other") == .pass)
        #expect(rules.verdict(method: "post", target: "/hooks/a") == .pass)
    }

    @Test("A handshake is answered with its value, in the query or in JSON")
    func echo() {
        var settings = InboxSettings()
        settings.echo = ["query:hub.challenge", "json:challenge"]
        let rules = InboxRules(settings)
        #expect(rules.verdict(method: "GET", target: "/h?hub.mode=subscribe&hub.challenge=12%2034") == .echo("12 34"))
        #expect(rules.verdict(method: "GET", target: "/h?hub.challenge=%0d%0aSet-Cookie:a") == .pass)
        #expect(rules.verdict(method: "GET", target: "/h?hub.challenge=%zz") == .pass)
        #expect(rules.verdict(method: "GET", target: "/h") == .pass)
        #expect(rules.echo(inBody: Array(#"{"type":"url_verification","n":[1],"challenge":"abc"}"#.utf8)) == "abc")
        #expect(rules.echo(inBody: Array(#"{"challenge":7}"#.utf8)) == nil)
        #expect(rules.echo(inBody: Array("[".utf8)) == nil)
    }

    @Test("Settings that are left out have their defaults, and wrong ones are told")
    func settings() throws {
        let empty = try APICoding.makeDecoder().decode(InboxSettings.self, from: .init("{}".utf8))
        #expect(empty == InboxSettings() && empty.fault == nil)
        func fault(_ change: (inout InboxSettings) -> Void) -> String? {
            var settings = InboxSettings()
            change(&settings)
            return settings.fault?.field
        }
        #expect(fault { $0.answer.status = 404 } == "answer.status")
        #expect(fault { $0.keep.bodyBytes = -1 } == "keep.body_bytes")
        #expect(fault { $0.methods = ["PO ST"] } == "methods[0]")
        #expect(fault { $0.paths = ["hooks"] } == "paths[0]")
        #expect(fault { $0.paths = ["/" + String(repeating: "a*", count: 9)] } == "paths[0]")
        #expect(fault { $0.paths = [] } == "paths")
        #expect(fault { $0.echo = ["header:x"] } == "echo[0]")
        #expect(fault { $0.answer.contentType = "a\r\nb" } == "answer.content_type")
        #expect(fault { $0.verify = .init(scheme: .github, secret: nil) } == "verify.secret")
        #expect(fault { $0.verify = .init(scheme: .generic, secret: "s") } == "verify.generic")
    }
}
