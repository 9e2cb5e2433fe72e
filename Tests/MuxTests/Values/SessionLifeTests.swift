// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol
import Testing

@testable import Mux

@Suite("The life of a session (B.13)")
struct SessionLifeTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private static let drain = SessionDrain(code: .shutdown, gracePeriod: .seconds(30), lingering: .zero, now: start)
    private static let end = SessionEnd(code: .protocolError, reason: "odd", isByPeer: false)

    private static func draining(own: Bool, peer: SessionLife.PeerDeparture?) -> SessionLife {
        .draining(SessionLife.Departures(own: own ? self.drain : nil, peer: peer))
    }

    private static let lives: [SessionLife] = [
        .helloWait, .active, Self.draining(own: true, peer: nil), Self.draining(own: false, peer: .announced),
        Self.draining(own: true, peer: .left(.replaced)), .closing(Self.end), .closed(Self.end),
    ]

    private enum Event: CaseIterable {
        case hello, startDrain, announced, left, ended, lost
    }

    private static func handle(_ event: Event, in life: SessionLife) -> SessionLife {
        var life = life
        switch event {
        case .hello: life.receivedHello()
        case .startDrain: _ = life.startDrain(Self.drain)
        case .announced: _ = life.peerAnnounced()
        case .left: life.peerLeft(.shutdown)
        case .ended: _ = life.ended(Self.end)
        case .lost: life.connectionLost()
        }
        return life
    }

    @Test("each event leads from each state where the table says")
    func table() {
        let expected: [[SessionPhase]] = [
            [.active, .helloWait, .helloWait, .helloWait, .closing, .helloWait],
            [.active, .draining, .draining, .draining, .closing, .active],
            [.draining, .draining, .draining, .draining, .closing, .draining],
            [.draining, .draining, .draining, .draining, .closing, .draining],
            [.draining, .draining, .draining, .draining, .closing, .draining],
            [.closing, .closing, .closing, .closing, .closing, .closed],
            [.closed, .closed, .closed, .closed, .closed, .closed],
        ]
        for (life, row) in zip(Self.lives, expected) {
            for (event, phase) in zip(Event.allCases, row) {
                #expect(Self.handle(event, in: life).phase == phase, "\(event) in \(life)")
            }
        }
    }

    @Test("what one side says of its leaving does not change what the other said")
    func bothLeave() {
        var life = SessionLife.active
        let isNew1 = life.startDrain(Self.drain)
        #expect(isNew1)
        #expect(!life.isPeerLeaving)
        let isNews2 = life.peerAnnounced()
        #expect(isNews2)
        let isNews3 = life.peerAnnounced()
        #expect(!isNews3, "the second announcement is no news")
        #expect(life.isPeerLeaving)
        #expect(life.drain == Self.drain)
    }

    @Test("a second drain may only shorten the first, and is not announced")
    func shortens() {
        var life = SessionLife.active
        let isNew4 = life.startDrain(Self.drain)
        #expect(isNew4)
        for (grace, expected) in [(60, 30), (10, 10)] as [(Int64, Int64)] {
            let other = SessionDrain(code: .replaced, gracePeriod: .seconds(grace), lingering: .zero, now: Self.start)
            let isNew5 = life.startDrain(other)
            #expect(!isNew5)
            #expect(life.drain?.deadline == Self.start + .seconds(expected))
            #expect(life.drain?.code == .shutdown)
        }
    }

    @Test("a lost connection is the end that the peer announced by its final GOAWAY, else SESSION_LOST")
    func loss() {
        #expect(SessionLife.active.codeOfLoss == .sessionLost)
        #expect(Self.draining(own: true, peer: .announced).codeOfLoss == .sessionLost)
        #expect(Self.draining(own: false, peer: .left(.replaced)).codeOfLoss == .replaced)
    }

    @Test("the first end stays")
    func firstEnd() {
        var life = SessionLife.active
        let isFirst6 = life.ended(Self.end)
        #expect(isFirst6)
        let isFirst7 = life.ended(SessionEnd(code: .sessionLost, reason: "", isByPeer: true))
        #expect(!isFirst7)
        #expect(life.end == Self.end)
        life.connectionLost()
        #expect(life == .closed(Self.end))
    }
}

@Suite("The drain of one side (B.9.5)")
struct SessionDrainValueTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func drain(lingering: TimeAmount = .zero) -> SessionDrain {
        SessionDrain(code: .shutdown, gracePeriod: .seconds(30), lingering: lingering, now: self.start)
    }

    @Test("the PONG of its own PING lets the final GOAWAY go out, and no other")
    func answered() {
        var drain = self.drain()
        #expect(drain.isPingWanted)
        #expect(!drain.isAnswered(by: 7))
        drain.pingSent(7)
        #expect(!drain.isPingWanted)
        #expect(!drain.isAnswered(by: 6))
        #expect(drain.isAnswered(by: 7))
        drain.finish(lastAccepted: StreamID(rawValue: 12))
        #expect(drain.isFinal)
        #expect(drain.ignoredAbove == StreamID(rawValue: 12))
        #expect(!drain.isAnswered(by: 7))
    }

    @Test("without an answer the final GOAWAY goes out after two seconds, once")
    func overdue() {
        var drain = self.drain()
        drain.pingSent(1)
        #expect(!drain.isFinalOverdue(now: self.start + .milliseconds(1_999)))
        #expect(drain.isFinalOverdue(now: self.start + .seconds(2)))
        drain.finish(lastAccepted: .session)
        #expect(!drain.isFinalOverdue(now: self.start + .seconds(3)))
    }

    @Test("a session that lingers sends its PING when that is over, at the latest with the grace")
    func lingers() {
        for (lingering, expected) in [(5, 5), (60, 30)] as [(Int64, Int64)] {
            var drain = self.drain(lingering: .seconds(lingering))
            drain.tick(now: self.start + .seconds(expected) - .nanoseconds(1))
            #expect(!drain.isPingWanted)
            drain.tick(now: self.start + .seconds(expected))
            #expect(drain.isPingWanted)
            #expect(!drain.isFinalOverdue(now: self.start + .seconds(expected + 2) - .nanoseconds(1)))
            #expect(drain.isFinalOverdue(now: self.start + .seconds(expected + 2)))
        }
    }
}
