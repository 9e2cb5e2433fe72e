// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ConnectorCore

@Suite("When a token is renewed")
struct RenewalScheduleTests {
    private let now = ContinuousClock.now

    private func token(_ claims: String) throws -> TunnelToken {
        try TunnelToken(parsing: TokenText.signed(claims))
    }

    private func schedule(_ length: Duration, age: Duration = .zero, draw: Double = 0) -> RenewalSchedule {
        RenewalSchedule(.init(length: length, age: age), now: self.now, draw: draw)
    }

    @Test("At two thirds of its life, or up to a twentieth of it earlier")
    func twoThirds() {
        let day = Duration.seconds(86_400)
        #expect(self.schedule(day * 30).nextAttempt - self.now == day * 20)
        let early = self.schedule(day * 30, draw: 1).nextAttempt - self.now
        #expect(early > day * 18 && early < day * 19)
        #expect(self.schedule(day * 30, age: day * 19).nextAttempt - self.now == day)
        #expect(self.schedule(day * 30, age: day * 19).end - self.now == day * 11)
    }

    @Test("What is past two thirds is renewed at once, and what an edge says has bounds")
    func bounds() {
        #expect(self.schedule(.seconds(60), age: .seconds(59)).nextAttempt - self.now == .seconds(1))
        #expect(self.schedule(.zero).nextAttempt - self.now == .seconds(1))
        #expect(self.schedule(.seconds(-5), age: .seconds(90)).nextAttempt - self.now == .seconds(1))
        #expect(self.schedule(.seconds(1e18), age: .seconds(-1e18)).end - self.now == RenewalSchedule.longestLife)
    }

    @Test("After a failure it is tried about ten times more; a person is told of the first and the last ones")
    func failures() {
        var schedule = self.schedule(.seconds(3_000))
        var told: [Int] = []
        var attempts = 0
        while schedule.nextAttempt < schedule.end {
            let at = schedule.nextAttempt
            if schedule.failed(now: at) { told.append(attempts) }
            attempts += 1
            #expect(schedule.nextAttempt - at == .seconds(100))
        }
        #expect(attempts == 10)
        #expect(told == [0, 8, 9])
    }

    @Test(
        "A token's age is what the clocks say, where they can be right",
        arguments: [
            (#"{"sub":"abc","iat":1000,"exp":1300}"#, false, 1_100.0, 300.0, 100.0),
            // Issued just now: the machine's clock does not matter.
            (#"{"sub":"abc","iat":1000,"exp":1300}"#, true, 9_999.0, 300.0, 0.0),
            // A clock that is a little behind, one that is far behind, and one beyond the end.
            (#"{"sub":"abc","iat":1000.5,"exp":1300.5}"#, false, 990.0, 300.0, 0.0),
            (#"{"sub":"abc","iat":1000,"exp":1300}"#, false, 10.0, 300.0, 300.0),
            (#"{"sub":"abc","iat":1000,"exp":1300}"#, false, 5_000.0, 300.0, 300.0),
            (#"{"sub":"abc","iat":0,"exp":1e300}"#, false, 1.0, 1e9, 1.0),
        ]
    )
    func age(claims: String, isFresh: Bool, seconds: Double, length: Double, age: Double) throws {
        let life = try #require(RenewalSchedule.Life(of: self.token(claims), isFresh: isFresh, at: seconds))
        #expect(life == .init(length: .seconds(length), age: .seconds(age)))
    }

    @Test(
        "A token that names no end needs no successor",
        arguments: [#"{"sub":"abc"}"#, #"{"sub":"abc","iat":5}"#, #"{"sub":"abc","iat":5,"exp":5}"#]
    )
    func endless(claims: String) throws {
        #expect(RenewalSchedule.Life(of: try self.token(claims), isFresh: true, at: 0) == nil)
    }

    @Test("The tunnels of a program take turns, ten a second, and owe nothing for the time when none came")
    func pace() {
        let pace = RenewalPace()
        let waits = (0..<1_000).map { _ in pace.take(now: self.now) }
        #expect(waits.first == .zero)
        #expect(waits.last == .milliseconds(99_900))
        let later = self.now + .seconds(600)
        #expect(pace.take(now: later) == .zero)
        #expect(pace.take(now: later) == .milliseconds(100))
    }
}
