// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol
import Testing

@testable import Mux

@Suite("Token bucket")
struct TokenBucketTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    @Test("a full bucket gives its burst and then its rate")
    func rate() {
        var bucket = TokenBucket(rate: 10, burst: 5, now: self.start)
        for _ in 0..<5 { #expect(bucket.take(now: self.start) == true) }
        #expect(bucket.take(now: self.start) == false)
        #expect(bucket.take(now: self.start + .milliseconds(99)) == false)
        #expect(bucket.take(now: self.start + .milliseconds(101)) == true)
    }

    @Test("it never holds more than its burst")
    func burst() {
        var bucket = TokenBucket(rate: 10, burst: 5, now: self.start)
        let later = self.start + .hours(1)
        #expect(bucket.take(6, now: later) == false)
        #expect(bucket.take(5, now: later) == true)
    }

    @Test("a clock that goes back gives nothing and takes nothing")
    func clockBack() {
        var bucket = TokenBucket(rate: 10, burst: 1, now: self.start)
        #expect(bucket.take(now: self.start - .seconds(10)) == true)
        #expect(bucket.take(now: self.start - .seconds(5)) == false)
        #expect(bucket.take(now: self.start + .milliseconds(101)) == true)
    }
}

/// Every limit of docs/protocol.md §B.12 that the receiver counts, reached on a session.
@Suite("Limits on the peer's conduct (B.12)")
struct PeerConductTests {
    @Test("opens beyond 4 000 at once are refused with OVERLOADED, and the session lives")
    func opens() {
        var session = ScriptedSession { $0.settings.maximumStreams = 5_000 }
        for number in 1...4_000 as ClosedRange<UInt32> { session.receive(.opening(StreamID(rawValue: 2 * number))) }
        #expect(session.takeEvents().count == 4_000)
        session.receive(.opening(8_002))
        #expect(session.takeEvents() == [])
        #expect(session.output().contains(.reject(8_002, .overloaded, reason: "too many streams a second")))
        session.advance(by: .seconds(1))
        session.receive(.opening(8_004))
        #expect(session.takeEvents() == ["opened"])
        #expect(session.endCode == nil)
    }

    @Test("own opens keep below that: what comes faster waits for its turn")
    func ownOpens() {
        var session = ScriptedSession(
            configure: { configuration in
                configuration.maximumWaitingOpens = 5_000
                configuration.budget = 1 << 30
            },
            peer: { $0.maximumStreams = 5_000 }
        )
        for _ in 0..<4_000 { _ = session.open() }
        func opens(_ frames: [Frame]) -> Int {
            frames.count { if case .open = $0 { true } else { false } }
        }
        #expect(opens(session.output()) == 3_500)
        session.tick(after: .milliseconds(100))
        #expect(opens(session.output()) == 190)
        session.tick(after: .milliseconds(200))
        #expect(opens(session.output()) == 310)
    }

    @Test("the 201st PING at once is ENHANCE_CALM")
    func pings() {
        var session = ScriptedSession()
        for number in 1...200 as ClosedRange<UInt64> {
            session.receive(.ping(number))
            _ = session.output()
        }
        #expect(session.endCode == nil)
        session.receive(.ping(201))
        #expect(session.endCode == .enhanceCalm)
    }

    @Test("no more than 16 PONGs wait; further PINGs are dropped and counted")
    func pongs() {
        var session = ScriptedSession()
        session.receive((1...20 as ClosedRange<UInt64>).map { .ping($0) })
        #expect(session.core.glitchCount == 4)
        #expect(session.output() == (1...16 as ClosedRange<UInt64>).map { .pong($0) })
    }

    @Test("WINDOW_UPDATEs beyond 256 and one for each KiB sent are ENHANCE_CALM")
    func windowUpdates() {
        var session = ScriptedSession()
        let key = session.accepted(2, window: 65_536)
        session.core.write(key, ByteBuffer(repeating: 1, count: 10_240))
        _ = session.output()
        for offset in 1...266 as ClosedRange<UInt64> { session.receive(.windowUpdate(2, offset: 65_536 + offset)) }
        #expect(session.endCode == nil)
        session.receive(.windowUpdate(2, offset: 66_000))
        #expect(session.endCode == .enhanceCalm)
    }

    @Test("the 40 001st DATA frame of a byte at once is ENHANCE_CALM")
    func smallData() {
        var session = ScriptedSession()
        let key = session.accepted(2)
        for _ in 0..<400 {
            session.receive((0..<100).map { _ in .bytes(2, 1) })
            _ = session.drain(key)
            _ = session.output()
        }
        #expect(session.endCode == nil)
        session.receive(.bytes(2, 1))
        #expect(session.endCode == .enhanceCalm)
    }

    @Test("small DATA counts where it is discarded, too: on a stopped stream, on a zombie, above the final GOAWAY")
    func discardedSmallData() {
        for kind in 0..<3 {
            var session = ScriptedSession()
            let key = session.accepted(2)
            var id: StreamID = 2
            switch kind {
            case 0: session.core.stopReading(key, code: .cancelled, now: session.now)
            case 1: session.core.reset(key, code: .cancelled)
            default:
                session.core.startDrain(
                    code: .shutdown,
                    gracePeriod: .seconds(30),
                    reconnectAfter: .zero,
                    now: session.now
                )
                session.settle()
                id = 4
                session.receive(.opening(id))
            }
            _ = session.output()
            for _ in 0..<400 { session.receive((0..<100).map { _ in .bytes(id, 1) }) }
            #expect(session.endCode == nil)
            session.receive(.bytes(id, 1))
            #expect(session.endCode == .enhanceCalm)
        }
    }

    @Test("DATA of 64 bytes, or that ends its stream, costs nothing")
    func freeData() {
        var session = ScriptedSession()
        var conduct = PeerConduct(opensPerSecond: 2_000, now: session.now)
        for _ in 0..<40_000 { #expect(throws: Never.self) { try conduct.smallData(now: session.now) } }
        session.core.conduct = conduct
        _ = session.accepted(2)
        session.receive(.bytes(2, 64), .bytes(2, 1, isLast: true))
        #expect(session.endCode == nil)
    }

    @Test("late frames beyond 1 000 and four for each stream are ENHANCE_CALM", arguments: 0..<4)
    func lateFrames(_ kind: Int) {
        var stream = ScriptedStream(.closed)
        let frames: [Frame] = [
            .windowUpdate(2, offset: 9), .blocked(2, offset: 9), .stopSending(2, .noError),
            .reset(2, .noError, reason: ""),
        ]
        // WINDOW_UPDATE has a stricter limit of its own.
        let allowed = kind == 0 ? 256 : 1_004
        for _ in 0..<allowed { stream.session.receive(frames[kind]) }
        #expect(stream.session.endCode == nil)
        stream.session.receive(frames[kind])
        #expect(stream.session.endCode == .enhanceCalm)
    }

    @Test("the 1 001st glitch at once is ENHANCE_CALM", arguments: 0..<3)
    func glitches(_ kind: Int) {
        var session = ScriptedSession()
        let frames: [Frame] = [.pong(1), .maximumStreams(1), .extension(type: 0x99, .session, length: 0)]
        for _ in 0..<1_000 { session.receive(frames[kind]) }
        #expect(session.endCode == nil)
        session.receive(frames[kind])
        #expect(session.endCode == .enhanceCalm)
    }

    @Test("GOAWAY again and again is ENHANCE_CALM")
    func goAways() {
        var session = ScriptedSession()
        for _ in 0..<1_002 { session.receive(.drain()) }
        #expect(session.endCode == nil)
        session.receive(.drain())
        #expect(session.endCode == .enhanceCalm)
        #expect(session.takeEvents().filter { $0.hasPrefix("draining") }.count == 1)
    }

    @Test("more than 64 KiB of unknown frames in a minute are ENHANCE_CALM")
    func extensionBytes() {
        var session = ScriptedSession()
        session.receive(.extension(type: 0x80, .session, length: 65_000))
        #expect(session.endCode == nil)
        session.receive(.extension(type: 0xFF, .session, length: 1_000))
        #expect(session.endCode == .enhanceCalm)
    }

    @Test("an unknown frame of any size passes when the minute is over")
    func extensionBytesLater() {
        var session = ScriptedSession()
        session.receive(.extension(type: 0x80, .session, length: 60_000))
        session.advance(by: .seconds(61))
        session.receive(.extension(type: 0x80, .session, length: 60_000))
        #expect(session.endCode == nil)
    }
}
