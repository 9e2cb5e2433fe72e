// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol
import Testing

@testable import Mux

@Suite("Credit of the whole session (B.7.2)")
struct ConnectionCreditTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    @Test("an update becomes due after a sixteenth of the window, and grants the whole window anew")
    func update() throws {
        var credit = ConnectionCredit(window: 1_600)
        try credit.received(200)
        credit.release(99)
        #expect(credit.takeUpdate() == nil)
        credit.release(1)
        #expect(credit.takeUpdate() == 1_700)
        #expect(credit.takeUpdate() == nil, "once")
    }

    @Test("bytes beyond what was granted break the rules of flow control")
    func tooMuch() throws {
        var credit = ConnectionCredit(window: 1_600)
        try credit.received(1_600)
        #expect(throws: ProtocolViolation.self) { try credit.received(1) }
    }

    @Test("withheld credit is not granted before it is released")
    func withheld() throws {
        var credit = ConnectionCredit(window: 1_600)
        try credit.received(800)
        credit.withhold(800)
        #expect(credit.receive.released == 0)
        #expect(credit.takeUpdate() == nil)
        credit.releaseWithheld()
        #expect(credit.withheld == 0)
        #expect(credit.takeUpdate() == 2_400)
    }

    @Test("BLOCKED is due once for each limit")
    func blockedOnce() throws {
        var credit = ConnectionCredit(window: 1_600)
        credit.start(granted: 100)
        credit.sent(100)
        credit.blocked()
        #expect(credit.takeBlocked() == 100)
        credit.blocked()
        #expect(credit.takeBlocked() == nil)
        let isRaised1 = try credit.raise(to: 150)
        #expect(isRaised1)
        credit.sent(50)
        credit.blocked()
        #expect(credit.takeBlocked() == 150)
    }

    @Test("BLOCKED is repeated every ten seconds while something waits for credit")
    func repeated() throws {
        var credit = ConnectionCredit(window: 1_600)
        credit.start(granted: 100)
        credit.sent(100)
        for second in 0...30 as ClosedRange<Int64> {
            let looksAgain2 = credit.tick(hasOutput: true, now: self.start + .seconds(second))
            #expect(looksAgain2)
            #expect(credit.takeBlocked() == (second > 0 && second % 10 == 0 ? 100 : nil), "after \(second) s")
        }
        let looksAgain3 = credit.tick(hasOutput: false, now: self.start + .seconds(31))
        #expect(!looksAgain3, "nothing waits")
        let looksAgain4 = credit.tick(hasOutput: true, now: self.start + .seconds(41))
        #expect(looksAgain4)
        #expect(credit.takeBlocked() == nil, "the ten seconds begin anew")
    }

    @Test("the window doubles once a round trip while the peer is held up")
    func grows() throws {
        var credit = ConnectionCredit(window: 1_600)
        for (milliseconds, window) in [(0, 3_200), (50, 3_200), (99, 3_200), (100, 6_400)] as [(Int64, Int)] {
            let mustMeasure = credit.peerBlocked(
                roundTrip: .milliseconds(100),
                now: self.start + .milliseconds(milliseconds)
            )
            #expect(!mustMeasure)
            #expect(credit.receive.window == window, "after \(milliseconds) ms")
        }
        #expect(credit.takeUpdate() == 6_400)
    }

    @Test("a peer can't be held up beyond what it was granted")
    func impossible() throws {
        let credit = ConnectionCredit(window: 1_600)
        try credit.checkBlocked(at: 1_600)
        #expect(throws: ProtocolViolation.self) { try credit.checkBlocked(at: 1_601) }
    }
}
