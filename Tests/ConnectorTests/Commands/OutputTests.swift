// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import ControlAPI
import Foundation
import Logging
import NIOConcurrencyHelpers
import Testing

@testable import Connector

@Suite("What the connector prints")
struct OutputTests {
    private static let date = Date(timeIntervalSince1970: 1_700_000_000.25)

    @Test("A text line has time, level, message and the circumstances in order")
    func textLine() {
        let line = LogFormat.text.line(
            level: .warning,
            message: "nothing listens",
            metadata: ["to": "localhost:3000", "code": "CONNECT_REFUSED", "why": "said \"no\""],
            date: Self.date
        )
        #expect(
            line
                == "2023-11-14 22:13:20.250 warn  nothing listens code=CONNECT_REFUSED to=localhost:3000 "
                + "why=\"said \\\"no\\\"\"\n"
        )
    }

    @Test("Nothing that a peer says starts a line of its own or steers the terminal", arguments: LogFormat.allCases)
    func injection(format: LogFormat) {
        let line = format.line(
            level: .info,
            message: "said\nfake line\u{1B}[2J",
            metadata: ["reason": "a\r\nb"],
            date: Self.date
        )
        #expect(line.filter { $0.isNewline }.count == 1)
        #expect(line.hasSuffix("\n"))
        #expect(!line.contains("\u{1B}"))
    }

    @Test("A JSON line is one object with time, level, message and the circumstances")
    func jsonLine() throws {
        let line = LogFormat.json.line(level: .info, message: "connected", metadata: ["n": "1"], date: Self.date)
        let object = try JSONDecoder().decode([String: String].self, from: Data(line.utf8))
        #expect(
            object == ["time": "2023-11-14T22:13:20.250Z", "level": "info", "message": "connected", "n": "1"]
        )
    }

    @Test("The public URL is printed once, when the first connection is active, on a line of its own")
    func publicURL() throws {
        let printed = NIOLockedValueBox<[String]>([])
        let status = ConnectionStatus(
            publicURL: "https://edge.example/my-app/",
            target: try OriginTarget(parsing: "3000"),
            report: { _ in },
            announce: { line in printed.withLockedValue { $0.append(line) } }
        )
        status.take(.connecting(index: 0))
        #expect(printed.withLockedValue { $0 } == [])
        status.take(.active(index: 0))
        status.take(.waiting(index: 0, .seconds(1), reason: "lost"))
        status.take(.active(index: 0))
        #expect(printed.withLockedValue { $0 } == ["https://edge.example/my-app/"])
    }

    @Test("Tunnels are listed in columns, and control characters in them are not passed on")
    func table() {
        let tunnels = ["a", "longer-id"].map { id in
            TunnelStatus(
                tunnelID: id,
                name: nil,
                urls: ["https://e/\(id)/\u{1B}[1m"],
                state: .offline,
                createdAt: Self.date,
                lastActiveAt: nil,
                sessions: [],
                counters: TunnelCounters(requests: 7)
            )
        }
        #expect(
            TunnelTable.list(tunnels) == """
                ID         STATE    CONNECTIONS  REQUESTS  URL
                a          offline  0            7         https://e/a/[1m
                longer-id  offline  0            7         https://e/longer-id/[1m
                """
        )
        #expect(TunnelTable.list(tunnels, width: 70) == TunnelTable.list(tunnels))
        #expect(
            TunnelTable.list(tunnels, width: 60) == """
                ID         STATE    CONNECTIONS  REQUESTS
                a          offline  0            7
                  https://e/a/[1m
                longer-id  offline  0            7
                  https://e/longer-id/[1m
                """
        )
        #expect(TunnelTable.list([]) == "No tunnels.")
        #expect(TunnelTable.details(tunnels[0]).contains("Last request  never\n"))
    }

    /// A tunnel with no connection at the edge that is asked, and so many at each of others.
    private static func tunnel(connectionsElsewhere counts: [Int]) -> TunnelStatus {
        TunnelStatus(
            tunnelID: "a",
            name: nil,
            urls: ["https://e/a/"],
            state: .online,
            createdAt: Self.date,
            lastActiveAt: nil,
            sessions: [],
            elsewhere: counts.enumerated().map { .init(pod: "edge-\($0 + 1)", sessions: $1) },
            counters: TunnelCounters(requests: 7)
        )
    }

    @Test("Connections at other edges are counted in the list, and each of these edges is named by the status")
    func elsewhere() {
        let tunnel = Self.tunnel(connectionsElsewhere: [2, 1])
        #expect(
            TunnelTable.list([tunnel]) == """
                ID  STATE   CONNECTIONS  REQUESTS  URL
                a   online  3            7         https://e/a/
                """
        )
        #expect(
            TunnelTable.details(tunnel).hasSuffix(
                """
                At edge-1     2 connections
                At edge-2     1 connection
                """
            )
        )
    }

    @Test("An edge that counts more connections than there are numbers ends no program")
    func tooManyElsewhere() {
        let tunnel = Self.tunnel(connectionsElsewhere: [.max, 1])
        #expect(TunnelTable.list([tunnel]).contains("\(Int.max)"))
    }
}
