// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation
import Inspection
import NIOCore
import Protocol
import Testing

@testable import Connector

@Suite("The live status, drawn")
struct StatusScreenTests {
    private static let date = Date(timeIntervalSince1970: 1_700_000_000)

    private static func screen(signs: StatusScreen.Signs = .init()) -> StatusScreen {
        StatusScreen(signs: signs, title: "culvert 1.2.3", timeZone: .gmt)
    }

    private func picture(
        _ state: StatusState,
        columns: Int = 80,
        rows: Int = 24,
        signs: StatusScreen.Signs = .init(),
        later seconds: TimeInterval = 0
    ) -> String {
        let size = TerminalSize(columns: columns, rows: rows)
        return Self.screen(signs: signs).lines(state, size: size, at: Self.date + seconds)
            .map(\.text).joined(separator: "\n")
    }

    @Test("Who else serves a tunnel is below where it leads")
    func others() {
        var state = Self.online()
        state.take(.alsoServed(by: ["culvert/1.2.3 at 192.0.2.7"]), of: "my-app", at: Self.date)
        #expect(self.picture(state).contains("\nShared with culvert/1.2.3 at 192.0.2.7\n"))
    }

    @Test("What the edge has answered itself stands beside the requests")
    func edgeAnswers() {
        var state = Self.online()
        #expect(!self.picture(state).contains("answered by the edge"))
        state.edgeAnswered(EdgeAnswers(["": 1_234]), of: "my-app")
        state.edgeAnswered(EdgeAnswers(["": 9]), of: "another")
        #expect(self.picture(state).contains("1,234 answered by the edge"))
        #expect(!self.picture(state).contains("by the edge:"))
        state.edgeAnswered(EdgeAnswers(["login_required": 7, "rate_limited": 12]), of: "my-app")
        #expect(self.picture(state).contains("19 answered by the edge: 12 rate limited, 7 login required"))
    }

    /// One tunnel with two connections.
    private static func online() -> StatusState {
        var state = StatusState()
        state.opened(tunnel: "my-app", url: "https://edge.example/my-app/", target: "http://localhost:3000")
        for connection in 0..<2 { state.take(.connected(connection: connection), of: "my-app", at: self.date) }
        _ = state.measured(.microseconds(12_345), connection: 0, of: "my-app")
        _ = state.measured(.microseconds(13_345), connection: 1, of: "my-app")
        return state
    }

    private static func add(
        _ method: String,
        _ path: String,
        _ status: Int?,
        _ milliseconds: Int64,
        of tunnel: String = "my-app",
        to state: inout StatusState
    ) {
        var exchange = HTTPCapture.Exchange(method: method, path: path)
        state.take(.began, of: tunnel, at: self.date)
        if status != nil {
            exchange.status = status
            exchange.responseTime = .milliseconds(milliseconds)
            state.take(.responded(exchange), of: tunnel, at: self.date)
        }
        exchange.duration = .milliseconds(milliseconds)
        state.take(.ended(exchange), of: tunnel, at: self.date)
    }

    private static func busy() -> StatusState {
        var state = Self.online()
        for number in 0..<1_230 { Self.add("GET", "/old", 200, Int64(number % 7 + 1), to: &state) }
        Self.add("GET", "/", 200, 4, to: &state)
        Self.add("POST", "/api/users", 201, 31, to: &state)
        Self.add("OPTIONS", "/old-address", 308, 2, to: &state)
        Self.add("GET", "/a/rather/long/path/to/something/that/was/never/there", 404, 1_250, to: &state)
        Self.add("DELETE", "/api/users/7", 503, 12_000, to: &state)
        Self.add("GET", "/slow", nil, 60_000, to: &state)
        state.take(.began, of: "my-app", at: Self.date)
        return state
    }

    @Test("The inspector has its line below the tunnels, until the program leaves")
    func inspector() {
        var state = Self.online()
        state.take(.inspecting(url: "http://127.0.0.1:4040"), at: Self.date)
        let line = "Inspect     http://127.0.0.1:4040"
        #expect(self.picture(state, rows: 15).split(separator: "\n").contains { $0 == line })
        state.take(.leaving(signal: "SIGTERM"), at: Self.date)
        #expect(!self.picture(state, rows: 15).contains("Inspect"))
    }

    @Test("All is well")
    func wide() {
        #expect(
            self.picture(Self.busy(), rows: 15) == """
                culvert 1.2.3                                                    Ctrl-C ends it
                ───────────────────────────────────────────────────────────────────────────────
                Forwarding  https://edge.example/my-app/ → http://localhost:3000
                Session     ●● online · 12 ms round trip
                Requests    1,237 · 1 open · 2 failed
                Response    p50 4.0 ms · p90 7.0 ms · p99 7.0 ms

                22:13:20   —   GET      /slow                                              60 s
                22:13:20  503  DELETE   /api/users/7                                       12 s
                22:13:20  404  GET      /a/rather/long/path/to/something/that/was/neve…   1.2 s
                22:13:20  308  OPTIONS  /old-address                                     2.0 ms
                22:13:20  201  POST     /api/users                                        31 ms
                22:13:20  200  GET      /                                                4.0 ms
                22:13:20  200  GET      /old                                             5.0 ms
                """
        )
    }

    @Test("In a narrow window the target has its own line, and the requests no time of day")
    func narrow() {
        #expect(
            self.picture(Self.busy(), columns: 44, rows: 12) == """
                culvert 1.2.3                Ctrl-C ends it
                ───────────────────────────────────────────
                Forwarding  https://edge.example/my-app/
                            → http://localhost:3000
                Session     ●● online · 12 ms round trip
                Requests    1,237 · 1 open · 2 failed
                Response    p50 4.0 ms · p90 7.0 ms
                            p99 7.0 ms

                 —   GET     /slow                     60 s
                503  DELETE  /api/users/7              12 s
                """
        )
    }

    @Test("A URL is never cut: alone on its line the terminal may wrap it")
    func longURL() {
        #expect(
            self.picture(Self.online(), columns: 28, rows: 12) == """
                culvert 1.2.3
                ───────────────────────────
                Forwarding
                https://edge.example/my-app/
                            → http://local…
                Session     ●● online
                            12 ms round tr…
                Requests    0
                """
        )
    }

    @Test("Before there is a tunnel it says what it waits for")
    func starting() {
        var state = StatusState()
        #expect(self.picture(state, columns: 60).hasSuffix("\nSession     ◐ reaching the edge"))
        state.take(.retrying(retryIn: .seconds(5), reason: "No edge answers at edge.example."), at: Self.date)
        #expect(
            self.picture(state, columns: 40, later: 1.5) == """
                culvert 1.2.3            Ctrl-C ends it
                ───────────────────────────────────────
                Session     ○ next attempt in 4 s
                            No edge answers at
                            edge.example.
                """
        )
    }

    @Test("One connection that is lost leaves the tunnel online; without any it is offline")
    func lost() {
        var state = Self.online()
        let reason = "The session ended: KEEPALIVE_TIMEOUT."
        state.take(.waiting(connection: 1, retryIn: .seconds(3), reason: reason), of: "my-app", at: Self.date)
        #expect(
            self.picture(state).contains(
                """
                Session     ●○ online · 1 of 2 connections · 12 ms round trip
                            next attempt in 3 s
                            The session ended: KEEPALIVE_TIMEOUT.
                """
            )
        )
        state.take(.waiting(connection: 0, retryIn: .seconds(1), reason: "gone"), of: "my-app", at: Self.date)
        #expect(
            self.picture(state, later: 1).contains(
                "Session     ○○ offline\n            trying again\n            gone\n"
            )
        )
        state.take(.connecting(connection: 0), of: "my-app", at: Self.date)
        #expect(self.picture(state).contains("Session     ◐○ connecting\n"))
    }

    @Test("A connection that was lost says how many streams wait for the next one, and is online with it")
    func suspension() {
        var state = Self.online()
        for connection in 0...1 {
            state.take(.suspended(connection: connection, streams: 6, reason: "gone"), of: "my-app", at: Self.date)
        }
        #expect(self.picture(state).contains("Session     ◐◐ reconnecting · 12 streams kept\n"))
        state.take(.resumed(connection: 0, pause: .milliseconds(9), repeated: 1), of: "my-app", at: Self.date)
        #expect(self.picture(state).contains("Session     ●◐ online"))
    }

    @Test("An edge that leaves, a connector that took over, and the end are told")
    func endings() {
        var state = Self.online()
        state.take(.draining(connection: 0, code: .shutdown), of: "my-app", at: Self.date)
        state.take(.draining(connection: 1, code: .shutdown), of: "my-app", at: Self.date)
        #expect(self.picture(state).contains("Session     ●● online, the edge is leaving · 12 ms round trip\n"))
        state.take(.replaced(connection: 0), of: "my-app", at: Self.date)
        state.take(.replaced(connection: 1), of: "my-app", at: Self.date)
        #expect(self.picture(state).contains("Session     –– another connector took over\n"))
        state.take(.leaving(signal: "SIGINT"), at: Self.date)
        #expect(self.picture(state).contains("Session     leaving: finishing what is in flight\n"))
        state.take(.stopped(exitCode: 0, message: ""), at: Self.date)
        #expect(self.picture(state).contains("Session     ended\n"))
        #expect(!self.picture(state).contains("Ctrl-C"))
    }

    @Test("A local server that is away is named below its address, and log lines have a place")
    func troubles() {
        var state = Self.online()
        state.take(
            .originUnreachable(target: "t", code: .connectRefused, reason: "nothing listens on localhost:3000"),
            of: "my-app",
            at: Self.date
        )
        state.take(message: "something odd", isError: false, at: Self.date)
        #expect(
            self.picture(state) == """
                culvert 1.2.3                                                    Ctrl-C ends it
                ───────────────────────────────────────────────────────────────────────────────
                Forwarding  https://edge.example/my-app/ → http://localhost:3000
                            nothing listens on localhost:3000
                Session     ●● online · 12 ms round trip
                Requests    0
                22:13:20  something odd
                """
        )
    }

    @Test("Of several tunnels each has its lines as far as the window goes, and requests name theirs")
    func several() {
        var state = Self.online()
        for number in 0..<8 {
            state.opened(tunnel: "t\(number)", url: "https://edge.example/t\(number)/", target: "unix:/run/\(number)")
        }
        Self.add("GET", "/x", 200, 3, of: "t0", to: &state)
        #expect(
            self.picture(state, columns: 70, rows: 12) == """
                culvert 1.2.3                                          Ctrl-C ends it
                ─────────────────────────────────────────────────────────────────────
                Forwarding  https://edge.example/my-app/ → http://localhost:3000
                Session     ●● online · 12 ms round trip
                Forwarding  https://edge.example/t0/ → unix:/run/0
                Session     connecting
                            and 7 more tunnels
                Requests    1
                Response    p50 3.0 ms · p90 3.0 ms · p99 3.0 ms

                22:13:20  200  GET  t0 /x                                      3.0 ms
                """
        )
    }

    @Test("A terminal without Unicode gets ASCII alone")
    func ascii() {
        var state = Self.busy()
        state.take(.waiting(connection: 1, retryIn: .seconds(3), reason: "gone"), of: "my-app", at: Self.date)
        for columns in [40, 80] {
            let picture = self.picture(state, columns: columns, signs: .ascii)
            #expect(picture.utf8.allSatisfy { $0 < 0x80 }, "\(picture)")
        }
    }

    @Test("Whatever the window, the panel fits it, and no line but a URL's is too wide")
    func fits() {
        var state = Self.busy()
        state.take(
            .waiting(connection: 1, retryIn: .seconds(3), reason: "a long reason of many words, all said"),
            of: "my-app",
            at: Self.date
        )
        state.take(message: "漢字 and more 漢字 and more 漢字", isError: true, at: Self.date)
        Self.add("GET", "/漢字/漢字/漢字/漢字/漢字/漢字", 200, 3, to: &state)
        state.opened(tunnel: "b", url: "https://edge.example/b/", target: "unix:/run/b")
        let screen = Self.screen()
        for columns in Array(1...60) + [79, 80, 120, 200] {
            for rows in [1, 2, 5, 9, 15, 24, 60] {
                let lines = screen.lines(state, size: TerminalSize(columns: columns, rows: rows), at: Self.date)
                #expect(StatusScreen.rows(lines, width: columns) <= max(1, rows - 1) || lines.count == 1)
                for line in lines where !line.text.hasPrefix("https://") {
                    #expect(line.width <= max(1, columns - 1), "\(columns): \(line.text)")
                }
            }
        }
    }

    @Test("Nothing that a visitor or an edge sends reaches the terminal as more than text")
    func hostileText() {
        var state = Self.online()
        Self.add("GET", "/\u{1B}]0;title\u{7}\r\n\u{202E}x", 200, 3, to: &state)
        state.take(message: "\u{1B}[2J", isError: true, at: Self.date)
        let lines = Self.screen().lines(state, size: TerminalSize(columns: 80, rows: 24), at: Self.date)
        #expect(!lines.contains { line in line.text.unicodeScalars.contains { !$0.isPrintable } })
    }

    @Test(
        "Times are short",
        arguments: [
            (0, "0.0 ms"), (40, "0.0 ms"), (9_940, "9.9 ms"), (9_960, "10 ms"), (999_400, "999 ms"), (999_600, "1.0 s"),
            (9_940_000, "9.9 s"), (42_000_000, "42 s"), (600_000_000, "10 min"),
        ]
    )
    func times(microseconds: Int64, text: String) {
        #expect(StatusScreen.text(of: .microseconds(microseconds)) == text)
    }
}
