// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation
import Inspection
import NIOCore
import Protocol
import Testing

@testable import Connector

@Suite("What the live status knows")
struct StatusStateTests {
    private static let date = Date(timeIntervalSince1970: 1_700_000_000)

    private static func answer(_ status: Int?, path: String = "/") -> HTTPCapture.Exchange {
        HTTPCapture.Exchange(method: "GET", path: path, status: status, responseTime: .milliseconds(5))
    }

    private func opened() -> StatusState {
        var state = StatusState()
        state.opened(tunnel: "a", url: "https://e/a/", target: "http://localhost:3000")
        return state
    }

    @Test("Requests are counted when they begin, failures when they are answered by a 500 or not at all")
    func counts() {
        var state = self.opened()
        for status in [200, 404, 500, 503] {
            state.take(.began, of: "a", at: Self.date)
            state.take(.responded(Self.answer(status)), of: "a", at: Self.date)
        }
        #expect((state.requestCount, state.openCount, state.errorCount) == (4, 4, 2))
        for status in [200, 404, 500, 503] { state.take(.ended(Self.answer(status)), of: "a", at: Self.date) }
        #expect((state.requestCount, state.openCount, state.errorCount) == (4, 0, 2))
        state.take(.began, of: "a", at: Self.date)
        state.take(.ended(Self.answer(nil)), of: "a", at: Self.date)
        #expect((state.requestCount, state.openCount, state.errorCount) == (5, 0, 3))
        #expect(state.requests.map(\.exchange.status) == [nil, 503, 500, 404, 200])
        #expect(state.responseTimes.count == 4)
        // A response that came whole is both.
        state.take(.began, of: "a", at: Self.date)
        state.take(.answered(Self.answer(502)), of: "a", at: Self.date)
        #expect((state.requestCount, state.openCount, state.errorCount) == (6, 0, 4))
        #expect(state.requests.first?.exchange.status == 502)
        #expect(state.responseTimes.count == 5)
    }

    @Test("Requests and log lines are kept up to a bound, the latest of them")
    func bounds() {
        var state = self.opened()
        for number in 0..<3 * StatusState.maximumRequests {
            state.take(.responded(Self.answer(200, path: "/\(number)")), of: "a", at: Self.date)
            state.take(message: "\(number)", isError: false, at: Self.date)
        }
        #expect(state.requests.count == StatusState.maximumRequests)
        #expect(state.requests.first?.exchange.path == "/\(3 * StatusState.maximumRequests - 1)")
        #expect(state.messages.count == StatusState.maximumMessages)
        #expect(state.messages.last?.text == "\(3 * StatusState.maximumRequests - 1)")
    }

    @Test("Each connection is as its last event says, and a lost one has no round trip")
    func connections() {
        var state = self.opened()
        state.take(.connecting(connection: 0), of: "a", at: Self.date)
        #expect(state.tunnels[0].connections == [0: .connecting])
        state.take(.connected(connection: 0), of: "a", at: Self.date)
        let isNew = (0..<2).map { _ in state.measured(.milliseconds(9), connection: 0, of: "a") }
        #expect(isNew == [true, false])
        #expect(!state.isCountingDown)
        state.take(.waiting(connection: 0, retryIn: .seconds(2.5), reason: "lost"), of: "a", at: Self.date)
        #expect(state.tunnels[0].connections == [0: .waiting(until: Self.date + 2.5, reason: "lost")])
        #expect(state.tunnels[0].roundTrips == [:])
        #expect(state.isCountingDown)
        state.take(.draining(connection: 1, code: .shutdown), of: "a", at: Self.date)
        state.take(.replaced(connection: 0), of: "a", at: Self.date)
        #expect(state.tunnels[0].connections == [0: .replaced, 1: .draining])
    }

    @Test("Tunnels stand in the order of their ids, and it is known whether one was ever online")
    func tunnels() {
        var state = StatusState()
        for id in ["c", "a", "b", "a"] {
            state.opened(tunnel: id, url: "https://e/\(id)/", target: "http://localhost:1")
        }
        #expect(state.tunnels.map(\.id) == ["a", "b", "c"])
        state.take(.connecting(connection: 0), of: "b", at: Self.date)
        #expect(!state.hasBeenOnline)
        state.take(.connected(connection: 0), of: "b", at: Self.date)
        state.take(.waiting(connection: 0, retryIn: .seconds(1), reason: "lost"), of: "b", at: Self.date)
        #expect(state.hasBeenOnline)
        state.take(message: "odd", isError: false, at: Self.date)
        state.forgetMessages()
        #expect(state.messages.isEmpty)
    }

    @Test("Who else serves a tunnel is named until nobody does")
    func others() {
        var state = self.opened()
        state.take(.alsoServed(by: ["x", "y"]), of: "a", at: Self.date)
        #expect(state.tunnels[0].others == ["x", "y"])
        state.take(.alsoServed(by: []), of: "a", at: Self.date)
        #expect(state.tunnels[0].others.isEmpty)
    }

    @Test("A local server that is away is named until it answers")
    func origin() {
        var state = self.opened()
        let away = StatusEvent.originUnreachable(target: "t", code: .connectRefused, reason: "nothing listens")
        state.take(away, of: "a", at: Self.date)
        #expect(state.tunnels[0].originFailure == "nothing listens")
        state.take(.originReachable(target: "t"), of: "a", at: Self.date)
        #expect(state.tunnels[0].originFailure == nil)
        state.take(away, of: "a", at: Self.date)
        state.take(.responded(Self.answer(200)), of: "a", at: Self.date)
        #expect(state.tunnels[0].originFailure == nil)
    }

    @Test("The phases follow each other, and the last picture keeps its tunnel")
    func phases() {
        var state = StatusState()
        #expect(state.phase == .starting)
        state.take(.retrying(retryIn: .seconds(1), reason: "away"), at: Self.date)
        #expect(state.retry?.reason == "away")
        #expect(state.isCountingDown)
        state.opened(tunnel: "a", url: "", target: "")
        state.opened(tunnel: "b", url: "", target: "")
        #expect(state.phase == .serving)
        #expect(state.retry == nil)
        state.closed(tunnel: "a")
        state.closed(tunnel: "b")
        #expect(state.tunnels.map(\.id) == ["b"])
        state.take(.leaving(signal: "SIGINT"), at: Self.date)
        #expect(state.phase == .leaving)
        state.take(.stopped(exitCode: 0, message: ""), at: Self.date)
        #expect(state.phase == .over)
        #expect(!state.isCountingDown)
    }

    @Test("A tunnel that is taken up again begins anew; events of one that is unknown are dropped")
    func again() {
        var state = self.opened()
        state.take(.connected(connection: 0), of: "a", at: Self.date)
        state.take(.connected(connection: 0), of: "unknown", at: Self.date)
        state.opened(tunnel: "a", url: "https://e/other/", target: "t")
        #expect(state.tunnels.count == 1)
        #expect(state.tunnels[0].url == "https://e/other/")
        #expect(state.tunnels[0].connections == [:])
    }
}
