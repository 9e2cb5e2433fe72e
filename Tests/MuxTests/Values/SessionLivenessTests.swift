// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol
import Testing

@testable import Mux

@Suite("Whether the peer is there (B.9.1, B.9.2)")
struct SessionLivenessTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func liveness() -> SessionLiveness {
        SessionLiveness(idleTimeout: .seconds(30), firstPing: 0, now: Self.start)
    }

    private func at(_ milliseconds: Int64) -> NIODeadline { Self.start + .milliseconds(milliseconds) }

    @Test("a third of the idle timeout without a byte makes a PING due")
    func keepalive() throws {
        var liveness = self.liveness()
        #expect(liveness.keepaliveDue == self.at(10_000))
        #expect(try liveness.tick(barrierSince: nil, now: self.at(9_999)) == nil)
        #expect(!liveness.pings.isWanted)
        #expect(try liveness.tick(barrierSince: nil, now: self.at(10_000)) == SessionLiveness.attention)
        #expect(liveness.pings.isWanted)
    }

    @Test("the whole idle timeout without a byte ends the session")
    func silence() throws {
        var liveness = self.liveness()
        _ = try liveness.tick(barrierSince: nil, now: self.at(29_999))
        #expect(throws: ProtocolViolation(.keepaliveTimeout, "nothing received for 30 s")) {
            try liveness.tick(barrierSince: nil, now: self.at(30_000))
        }
    }

    @Test("a PING that stays unanswered for the patience of a path makes the peer suspect; any byte clears it")
    func suspicion() throws {
        for (roundTrip, patience) in [(nil, 4_000), (10, 2_000), (1_000, 4_000), (5_000, 6_000)] as [(Int64?, Int64)] {
            var liveness = self.liveness()
            if let roundTrip { liveness.addSample(.milliseconds(roundTrip), now: Self.start) }
            #expect(liveness.pings.send(now: self.at(1)) != nil)
            _ = try liveness.tick(barrierSince: nil, now: self.at(1 + patience))
            #expect(!liveness.isSuspect)
            _ = try liveness.tick(barrierSince: nil, now: self.at(2 + patience))
            #expect(liveness.isSuspect)
            liveness.received(now: self.at(3 + patience))
            #expect(!liveness.isSuspect)
        }
    }

    @Test("a peer that is probed is suspect at once, and lost if nobody waits for longer", arguments: [false, true])
    func probed(givingUp: Bool) throws {
        var liveness = self.liveness()
        liveness.addSample(.milliseconds(10), now: Self.start)
        liveness.probe(givingUp: givingUp, now: Self.start)
        #expect(liveness.isSuspect)
        #expect(liveness.pings.isWanted)
        _ = try liveness.tick(barrierSince: nil, now: self.at(1_999))
        if givingUp {
            #expect(throws: ProtocolViolation.self) { try liveness.tick(barrierSince: nil, now: self.at(2_000)) }
        } else {
            _ = try liveness.tick(barrierSince: nil, now: self.at(2_000))
        }
        liveness.received(now: self.at(2_001))
        #expect(!liveness.isSuspect)
        _ = try liveness.tick(barrierSince: nil, now: self.at(2_002))
    }

    @Test("64 KiB of DATA make another measurement due, at most one a second")
    func samples() throws {
        var liveness = self.liveness()
        let first = liveness.pings.send(now: Self.start)
        _ = liveness.receivedPong(try #require(first), now: self.at(10))
        let isEnough1 = liveness.moved(65_535)
        #expect(!isEnough1)
        let isEnough2 = liveness.moved(1)
        #expect(isEnough2)
        let isEnough3 = liveness.moved(1)
        #expect(!isEnough3, "told once")
        #expect(try liveness.tick(barrierSince: nil, now: self.at(400)) == .milliseconds(600))
        #expect(!liveness.pings.isWanted)
        #expect(try liveness.tick(barrierSince: nil, now: self.at(1_000)) == nil)
        #expect(liveness.pings.isWanted)
    }

    @Test("a stream that is opened after five seconds of silence asks whether the peer is there")
    func opening() {
        var liveness = self.liveness()
        liveness.opening(now: self.at(5_000))
        #expect(!liveness.pings.isWanted)
        liveness.opening(now: self.at(5_001))
        #expect(liveness.pings.isWanted)
    }

    @Test("a peer that sends but answers no PING for twice the idle timeout ends the session")
    func barrier() throws {
        var liveness = self.liveness()
        liveness.received(now: self.at(59_000))
        _ = try liveness.tick(barrierSince: Self.start, now: self.at(59_999))
        #expect(throws: ProtocolViolation(.keepaliveTimeout, "no PONG for 60 s")) {
            try liveness.tick(barrierSince: Self.start, now: self.at(60_000))
        }
    }
}
