// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels
import Foundation
import Mux
import NIOCore
import NIOEmbedded
import Protocol
import Testing

@testable import EdgeProxy

/// Plays a case of the conformance tables between a visitor and an origin in this process.
struct InProcessConformance {
    let table: ConformanceTable.Case

    private var policyName: String { String(self.table.tunnel.prefix { $0 != "@" }) }
    private var isHostMode: Bool { self.table.tunnel.contains("@host") }
    private var base: String { self.isHostMode ? "" : "/\(ProxyWorld.tunnelID)" }
    private var host: String {
        self.isHostMode ? "\(ProxyWorld.tunnelID).\(ProxyWorld.domain)" : ProxyWorld.host
    }
    private var origin: String {
        switch self.policyName {
        case "preserve": self.host
        case "literal": "app.example:81"
        default: ProxyWorld.origin
        }
    }

    private var policy: TunnelPolicy {
        var policy = TunnelPolicy { $0.host = .rewrite(ProxyWorld.origin) }
        switch self.policyName {
        case "keep": policy.pathMode = .keep
        case "preserve": policy.host = .preserve
        case "literal": policy.host = .rewrite("app.example:81")
        case "websocket": policy.upgrades = .websocket
        case "fresh": policy.originReuse = .never
        default: break
        }
        return policy
    }

    private func fill(_ template: ConformanceTable.Template) -> Data {
        self.fill(
            template.bytes,
            [("{base}", self.base), ("{host}", self.host), ("{origin}", self.origin), ("{port}", "3000")]
        )
    }

    /// Fills in the head; none of the large bodies has places.
    private func fill(_ bytes: Data, _ values: [(String, String)]) -> Data {
        let end = bytes.count < 64 << 10 ? bytes.endIndex : bytes.range(of: Data("\r\n\r\n".utf8))?.upperBound
        var head = Data(bytes[..<(end ?? bytes.startIndex)])
        for (place, value) in values { head.replace(place, with: value) }
        return head + bytes[(end ?? bytes.startIndex)...]
    }

    private var expectedRequest: Data {
        if let request = self.table.request { return self.fill(request) }
        var sent = Data()
        for case .send(let bytes) in self.table.visitor { sent.append(bytes.bytes) }
        return self.fill(sent, [("{base}", ""), ("{host}", self.origin), ("{origin}", self.origin)])
    }

    private var expectedResponse: Data {
        if let response = self.table.response { return self.fill(response) }
        var sent = Data()
        for script in self.table.origin { for case .send(let bytes) in script { sent.append(self.fill(bytes)) } }
        return sent
    }

    /// Plays the case.
    ///
    /// - Returns: What was wrong.
    func failures() throws -> [String] {
        let world = try ProxyWorld(
            policy: self.policy,
            trustedProxies: [#require(AddressRange("127.0.0.2/32"))],
            datesResponses: true
        )
        var origins: [OriginEnd] = []
        var players: [ScriptPlayer] = []
        var failures: [String] = []
        try world.addConnector { stream in
            let end = OriginEnd(stream)
            try? stream.pipeline.syncOperations.addHandler(end)
            stream.accept()
            if origins.count < self.table.origin.count {
                players.append(
                    ScriptPlayer(self.table.origin[origins.count], end, now: world.loop.now, fill: self.fill)
                )
            } else {
                failures.append("the origin got a connection too many")
            }
            origins.append(end)
        }
        let visitor = try world.visit(from: self.table.tunnel.contains("@proxy") ? "127.0.0.2" : "127.0.0.1")
        players.append(
            ScriptPlayer(self.table.visitor, visitor, now: world.loop.now, fill: self.fill) { text in
                origins.contains { $0.received.range(of: text) != nil }
            }
        )
        world.settle()
        let deadline = world.loop.now + .seconds(30)
        while world.loop.now < deadline {
            var hasPlayed = false
            for player in players where player.play(now: world.loop.now) {
                hasPlayed = true
                world.settle()
            }
            guard !hasPlayed else { continue }
            if players.allSatisfy(\.isOver) { break }
            world.advance(by: .milliseconds(10))
        }
        world.advance(by: .milliseconds(30))
        failures += players.compactMap(\.failure)
        if !players.allSatisfy(\.isOver) { failures.append("not all steps were taken") }
        if origins.count < self.table.origin.count {
            failures.append("the origin got only \(origins.count) connections")
        }
        failures += self.responseFailures(visitor, world)
        failures += self.requestFailures(origins)

        visitor.close()
        for origin in origins { origin.close() }
        world.advance(by: .seconds(3))
        if world.recorder.startedCount != world.recorder.entries.count { failures.append("a request was not finished") }
        if world.services.connections.count != 0 { failures.append("a connection was not given up") }
        return failures
    }

    private func responseFailures(_ visitor: VisitorEnd, _ world: ProxyWorld) -> [String] {
        guard let judge = self.table.judge else {
            return Self.difference("the response", self.expectedResponse, Self.withoutDate(visitor.received))
        }
        var failures: [String] = []
        func ends() {
            if visitor.ended == nil { world.advance(by: .seconds(1)) }
            if visitor.ended == nil { failures.append("the connection did not end") }
        }
        let awaited = judge.kind == "Holds" ? judge.text?.bytes ?? Data() : Data("\r\n\r\n".utf8)
        if judge.kind == "Holds" || judge.kind == "Problem" {
            for _ in 0..<100 where visitor.received.range(of: awaited) == nil && visitor.ended == nil {
                world.advance(by: .milliseconds(50))
            }
        }
        let received = visitor.received
        switch judge.kind {
        case "Problem":
            let head = received[..<(received.range(of: Data("\r\n\r\n".utf8))?.lowerBound ?? 0)] + Data("\r\n".utf8)
            let field = Data("\r\nCulvert-Error: ".utf8) + (judge.code?.bytes ?? Data()) + Data("\r\n".utf8)
            if !head.starts(with: Data("HTTP/1.1 \(judge.status ?? 0) ".utf8)) || head.range(of: field) == nil {
                failures.append("not \(judge.status ?? 0): \(String(decoding: received.prefix(300), as: UTF8.self))")
            }
            if judge.ends == true { ends() }
            if judge.once == true, received.count(of: "Culvert-Request-Id:") != 1 { failures.append("several answers") }
            if let absent = judge.absent, received.range(of: absent.bytes) != nil { failures.append("smuggled") }
        case "Truncated":
            ends()
            failures += Self.difference(
                "the response",
                judge.prefix.map(self.fill) ?? Data(),
                Self.withoutDate(received)
            )
            if let how = judge.how, how != visitor.ended { failures.append("ended otherwise than by \(how)") }
        case "Holds":
            if received.range(of: judge.text?.bytes ?? Data()) == nil { failures.append("the text did not come") }
        case "Ends": ends()
        case "Anything": break
        default: failures.append("the judge \(judge.kind) is not known")
        }
        return failures
    }

    private func requestFailures(_ origins: [OriginEnd]) -> [String] {
        let received = origins.reduce(into: Data()) { $0.append($1.received) }
        var failures: [String] = []
        if self.table.comparesRequest {
            failures += Self.difference("the request", self.expectedRequest, Self.withoutAdded(received))
        }
        guard let look = self.table.look else { return failures }
        for line in look.lines {
            let text = String(decoding: self.fill(line), as: UTF8.self)
            if received.count(of: "\r\n\(text)\r\n") != 1 { failures.append("the origin did not get \(text) once") }
        }
        for text in look.absent where received.range(of: text.bytes) != nil {
            failures.append("the origin got \(String(decoding: text.bytes, as: UTF8.self))")
        }
        return failures
    }

    /// Without what the edge adds to each request, and where it says the rest (docs/http.md, "Changed in requests").
    private static func withoutAdded(_ received: Data) -> Data {
        var rest = received
        for name in [
            "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Prefix", "X-Real-IP", "Forwarded",
            "X-Request-Id", "Culvert-Hops",
        ] {
            let start = Data("\(name): ".utf8)
            while let place = rest.range(of: start),
                let end = rest.range(of: Data("\r\n".utf8), in: place.upperBound..<rest.endIndex)
            {
                rest.removeSubrange(place.lowerBound..<end.upperBound)
            }
        }
        for via in ["Via: 1.0 culvert\r\n", "Via: 1.1 culvert\r\n"] { rest.replace(via, with: "") }
        return rest
    }

    /// Without what the edge adds to responses that don't say when they were made.
    private static func withoutDate(_ received: Data) -> Data {
        var rest = received
        rest.replace("Date: Thu, 01 Jan 1970 00:16:40 GMT\r\n", with: "")
        return rest
    }

    private static func difference(_ what: String, _ expected: Data, _ got: Data) -> [String] {
        guard expected != got else { return [] }
        let at = zip(expected, got).enumerated().first { $1.0 != $1.1 }?.offset ?? min(expected.count, got.count)
        func excerpt(_ data: Data) -> String {
            String(decoding: data.dropFirst(max(0, at - 60)).prefix(120), as: UTF8.self)
        }
        return [
            "\(what) differs at \(at): expected \(expected.count) bytes …\(excerpt(expected)), got \(got.count) …\(excerpt(got))"
        ]
    }
}

extension Data {
    fileprivate mutating func replace(_ text: String, with other: String) {
        let (text, other) = (Data(text.utf8), Data(other.utf8))
        var from = self.startIndex
        while from < self.endIndex, let place = self.range(of: text, in: from..<self.endIndex) {
            self.replaceSubrange(place, with: other)
            from = place.lowerBound + other.count
        }
    }

    fileprivate func count(of text: String) -> Int {
        var (count, from) = (0, self.startIndex)
        while let place = self.range(of: Data(text.utf8), in: from..<self.endIndex) {
            count += 1
            from = place.upperBound
        }
        return count
    }
}

@Suite("Conformance, in process")
struct InProcessConformanceTests {
    @Test("Every case of the tables passes between embedded channels, within ten seconds", .timeLimit(.minutes(2)))
    func tables() throws {
        let table = try ConformanceTable.load()
        #expect(table.exchanges.count >= 406)
        #expect(table.smuggling.count >= 206)
        let clock = ContinuousClock()
        let start = clock.now
        for entry in table.exchanges + table.smuggling {
            let failures = try InProcessConformance(table: entry).failures()
            #expect(failures == [], "\(entry.name)")
        }
        print("Conformance in process: \(table.exchanges.count) and \(table.smuggling.count) in \(clock.now - start)")
    }
}
