// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import EdgeProxy

@Suite("The deadlines of a visitor's connection")
struct ConnectionDeadlinesTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func deadlines() -> ConnectionDeadlines {
        ConnectionDeadlines(
            ProxySettings(headTimeout: .seconds(1), keepAliveTimeout: .seconds(12), stallTimeout: .seconds(3))
        )
    }

    @Test("Each thing that is waited for has its own time")
    func times() {
        let times: [(ConnectionDeadlines.Kind, TimeAmount)] = [
            (.head, .seconds(1)), (.body, .seconds(3)), (.upload(minimum: 1), .seconds(3)),
            (.stalledDownload, .seconds(3)), (.response(.seconds(4)), .seconds(4)), (.halfClosed, .milliseconds(500)),
            (.lingering, .seconds(2)), (.unreadUpload, .seconds(5)),
        ]
        for (kind, time) in times {
            var deadlines = self.deadlines()
            #expect(deadlines.wait(for: kind, now: self.start) == self.start + time, "\(kind)")
            #expect(deadlines.fired(now: self.start + time) == .passed(kind))
            #expect(deadlines.fired(now: self.start + time) == .nothing, "once")
        }
    }

    @Test("A far deadline is looked at every five seconds, so that a nearer one finds a timer that is early enough")
    func far() {
        var deadlines = self.deadlines()
        #expect(deadlines.wait(for: .idle, now: self.start) == self.start + .seconds(5))
        #expect(deadlines.fired(now: self.start + .seconds(5)) == .schedule(self.start + .seconds(10)))
        #expect(deadlines.fired(now: self.start + .seconds(10)) == .schedule(self.start + .seconds(12)))
        #expect(deadlines.fired(now: self.start + .seconds(12)) == .passed(.idle))
    }

    @Test("To wait for the same thing starts no time anew, unless something lay between")
    func sameThing() {
        var deadlines = self.deadlines()
        _ = deadlines.wait(for: .head, now: self.start)
        #expect(deadlines.wait(for: .head, now: self.start + .milliseconds(900)) == nil)
        #expect(deadlines.fired(now: self.start + .seconds(1)) == .passed(.head))

        _ = deadlines.wait(for: .head, now: self.start)
        deadlines.restart()
        // The timer that is there fires early, and looks again.
        #expect(deadlines.wait(for: .head, now: self.start + .milliseconds(900)) == nil)
        let fired = deadlines.fired(now: self.start + .seconds(1))
        #expect(fired == .schedule(self.start + .milliseconds(1_900)))
    }

    @Test("A nearer deadline takes the timer's place, and nothing that is waited for lets it pass")
    func nearer() {
        var deadlines = self.deadlines()
        _ = deadlines.wait(for: .response(.seconds(30)), now: self.start)
        #expect(deadlines.wait(for: .halfClosed, now: self.start) == self.start + .milliseconds(500))
        #expect(deadlines.wait(for: nil, now: self.start) == nil)
        #expect(deadlines.fired(now: self.start + .milliseconds(500)) == .nothing)
    }

    @Test("An origin that says that it is at work has all its time again; nobody else has")
    func interim() {
        var deadlines = self.deadlines()
        _ = deadlines.wait(for: .response(.seconds(4)), now: self.start)
        deadlines.originAnsweredInterim()
        #expect(deadlines.wait(for: .response(.seconds(4)), now: self.start + .seconds(3)) == nil)
        #expect(deadlines.fired(now: self.start + .seconds(4)) == .schedule(self.start + .seconds(7)))
        #expect(deadlines.fired(now: self.start + .seconds(7)) == .passed(.response(.seconds(4))))

        _ = deadlines.wait(for: .upload(minimum: 16), now: self.start)
        deadlines.originAnsweredInterim()
        #expect(deadlines.fired(now: self.start + .seconds(3)) == .passed(.upload(minimum: 16)))
    }

    @Test("An upload that nobody reads is given up when it pauses for five seconds, and after thirty in any case")
    func unreadUpload() {
        var deadlines = self.deadlines()
        _ = deadlines.wait(for: .unreadUpload, now: self.start)
        for second in stride(from: 4, through: 28, by: 4) as StrideThrough<Int64> {
            deadlines.dropped(now: self.start + .seconds(second))
            guard case .schedule = deadlines.fired(now: self.start + .seconds(second + 1)) else {
                Issue.record("given up after \(second) s")
                return
            }
        }
        #expect(deadlines.fired(now: self.start + .seconds(30)) == .passed(.unreadUpload))

        _ = deadlines.wait(for: .unreadUpload, now: self.start)
        #expect(deadlines.fired(now: self.start + .seconds(5)) == .passed(.unreadUpload))
        _ = deadlines.wait(for: .lingering, now: self.start)
        deadlines.dropped(now: self.start + .seconds(1))
        #expect(deadlines.fired(now: self.start + .seconds(2)) == .passed(.lingering))
    }

    @Test("An upload has to bring its minimum to get more time; other things have no progress")
    func progress() {
        var deadlines = self.deadlines()
        _ = deadlines.wait(for: .upload(minimum: 16), now: self.start)
        #expect(deadlines.progressed(15, now: self.start + .seconds(2)) == nil)
        var slow = deadlines
        #expect(slow.fired(now: self.start + .seconds(3)) == .passed(.upload(minimum: 16)))
        #expect(deadlines.progressed(1, now: self.start + .seconds(2)) == nil)
        #expect(deadlines.fired(now: self.start + .seconds(3)) == .schedule(self.start + .seconds(5)))
        #expect(deadlines.progressed(15, now: self.start + .seconds(4)) == nil)
        #expect(deadlines.fired(now: self.start + .seconds(5)) == .passed(.upload(minimum: 16)))

        var body = self.deadlines()
        _ = body.wait(for: .body, now: self.start)
        #expect(body.progressed(1_000, now: self.start + .seconds(2)) == nil)
        #expect(body.fired(now: self.start + .seconds(3)) == .passed(.body))
    }
}
