// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation
import Inspection
import Logging
import NIOConcurrencyHelpers
import NIOCore
import Protocol
import Testing

@testable import Connector

@Suite("JSON lines for programs")
struct JSONLinesTests {
    /// One event of every kind.
    private static let samples: [StatusEvent] = [
        .connecting(connection: 0),
        .connected(connection: 1),
        .draining(connection: 0, code: .shutdown),
        .waiting(connection: 0, retryIn: .milliseconds(2_500), reason: "No edge answers."),
        .replaced(connection: 0),
        .online(url: "https://e/a/", target: "http://localhost:3000"),
        .request(
            HTTPCapture.Exchange(
                method: "GET",
                path: "/",
                status: 200,
                responseTime: .microseconds(1_500),
                duration: .microseconds(2_250),
                isComplete: true
            )
        ),
        .originUnreachable(target: "t", code: .connectRefused, reason: "nothing listens on localhost:3000"),
        .originReachable(target: "t"),
        .alsoServed(by: ["culvert/0.1.0 at 192.0.2.7"]),
        .retrying(retryIn: .seconds(1), reason: "No edge answers."),
        .inspecting(url: "http://127.0.0.1:4040"),
        .tokenRenewed(end: 1_800_000_000, problem: nil),
        .tokenEnding(end: 1_800_000_000, reason: "No edge answers."),
        .leaving(signal: "SIGTERM"),
        .stopped(exitCode: 77, message: "The edge refused the credentials."),
        .connection(OriginConnectionSummary(bytesIn: 3, bytesOut: 4, duration: .milliseconds(5), isComplete: true)),
        .suspended(connection: 0, streams: 12, reason: "the connection was closed"),
        .resumed(connection: 0, pause: .milliseconds(420), repeated: 3),
    ]

    private static func object(_ event: StatusEvent, tunnel: String? = nil) throws -> [String: Any] {
        let lines = NIOLockedValueBox<[String]>([])
        let logger = Logger(label: "test") { _ in
            LineCollector { line in lines.withLockedValue { $0.append(line) } }
        }
        logger.report(event, tunnel: tunnel)
        let line = try #require(lines.withLockedValue { $0 }.first)
        return try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }

    @Test("docs/connector.md lists each event with its level and members, and no other")
    func documentation() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let page = try String(contentsOf: root.appending(path: "docs/connector.md"), encoding: .utf8)
        let section = try #require(page.components(separatedBy: "\n## JSON lines\n").dropFirst().first)
            .components(separatedBy: "\n## ")[0]
        var documented: [String: String] = [:]
        for line in section.split(separator: "\n") where line.hasPrefix("| `") {
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            let members = cells[2].components(separatedBy: "`").enumerated().filter { !$0.offset.isMultiple(of: 2) }
            documented[cells[0].trimmingCharacters(in: ["`"])] =
                "\(cells[1]): \(members.map(\.element).sorted().joined(separator: " "))"
        }
        var found: [String: String] = [:]
        for event in Self.samples {
            let members = event.members.keys.sorted().joined(separator: " ")
            found[event.name.rawValue] = "\(event.level): \(members)"
        }
        #expect(found.count == StatusEvent.Name.allCases.count)
        // Whether a run fails decides how important its end is.
        found["stopped"] = "info or error: exit_code"
        #expect(documented == found)
    }

    @Test("Numbers are numbers, a duration is its seconds, and the tunnel is named")
    func types() throws {
        let waiting = try Self.object(Self.samples[3], tunnel: "my-app")
        #expect(waiting["event"] as? String == "waiting")
        #expect(waiting["tunnel"] as? String == "my-app")
        #expect(waiting["connection"] as? Int == 0)
        #expect(waiting["retry_in"] as? Double == 2.5)
        #expect(waiting["message"] as? String == "No edge answers.")
        let request = try Self.object(Self.samples[6])
        #expect(request["status"] as? Int == 200)
        #expect(request["response_ms"] as? Double == 1.5)
        #expect(request["duration_ms"] as? Double == 2.25)
        #expect(request["complete"] as? Bool == true)
        #expect(request["tunnel"] == nil)
        #expect(try Self.object(Self.samples[12])["expires_at"] as? String == "2027-01-15T08:00:00Z")
        #expect(try Self.object(Self.samples[15])["exit_code"] as? Int == 77)
    }

    @Test("A request without an answer has no status and no time to it")
    func unanswered() throws {
        let request = try Self.object(.request(HTTPCapture.Exchange(method: "GET", path: "/", duration: .seconds(1))))
        #expect(request["status"] == nil)
        #expect(request["response_ms"] == nil)
        #expect(request["complete"] as? Bool == false)
    }

    @Test("A line of text has the message, and not what the event is called")
    func text() {
        var metadata = Self.samples[3].members
        metadata["event"] = "waiting"
        let line = LogFormat.text.line(
            level: .warning,
            message: Self.samples[3].message,
            metadata: metadata,
            date: Date(timeIntervalSince1970: 1_700_000_000)
        )
        #expect(line == "2023-11-14 22:13:20.000 warn  No edge answers. connection=0 retry_in=2.5s\n")
    }
}

/// Keeps what is logged as JSON lines.
private struct LineCollector: LogHandler {
    let take: @Sendable (String) -> Void
    var logLevel = Logger.Level.trace
    var metadata: Logger.Metadata = [:]

    init(take: @escaping @Sendable (String) -> Void) {
        self.take = take
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        self.take(
            LogFormat.json.line(
                level: event.level,
                message: "\(event.message)",
                metadata: event.metadata ?? [:],
                date: Date(timeIntervalSince1970: 1_700_000_000)
            )
        )
    }
}
