// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import Inspection

@Suite("The ring of captured exchanges")
struct CaptureRingTests {
    private static let origin = ExchangeOrigin(tunnel: "my-app", connection: 1)
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private static func ring(bytes: Int = 50 << 20, exchanges: Int = 10_000, body: Int = 1 << 20) -> CaptureRing {
        CaptureRing(
            budget: CaptureBudget(bytes: bytes, exchanges: exchanges, body: body),
            clock: CaptureClock(date: 1_000_000, deadline: Self.start)
        )
    }

    private static func begin(_ ring: CaptureRing, _ path: String = "/", hasBody: Bool = true) -> ExchangeCapture? {
        let head = Array("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
        return ring.begin(Self.origin, head: head, hasBody: hasBody, at: Self.start)
    }

    private static func answer(_ exchange: ExchangeCapture, _ head: [UInt8], size: Int) {
        (head + [UInt8](repeating: 7, count: size)).withUnsafeBytes {
            exchange.answered($0, headCount: head.count, at: Self.start)
        }
    }

    private static func send(_ count: Int, to exchange: ExchangeCapture, expected: UInt64? = nil) {
        [UInt8](repeating: 7, count: count).withUnsafeBytes {
            exchange.responseBody($0, expected: expected, at: nil)
        }
    }

    @Test("A response that comes whole is kept as one that comes in pieces, as far as there is room")
    func whole() throws {
        let head = Array("HTTP/1.1 200 OK\r\n\r\n".utf8)
        let cases = [(50 << 20, 600), (50 << 20, 1_400), (50 << 20, 9_000), (2_200, 1_400), (2_200, 0)]
        for ((bytes, size), hasBody) in cases.flatMap({ [($0, true), ($0, false)] }) {
            let limit = size == 9_000 ? 8_000 : 1_000
            let ring = Self.ring(bytes: bytes, body: limit)
            let one = try #require(Self.begin(ring, hasBody: hasBody))
            let pieces = Self.ring(bytes: bytes, body: limit)
            let second = try #require(Self.begin(pieces, hasBody: hasBody))
            Self.answer(one, head, size: size)
            second.responded(head, kind: .http, at: Self.start)
            if size > 0 { Self.send(size, to: second, expected: UInt64(size)) }
            second.completed(trailers: [], at: Self.start)
            let (whole, cut) = (one.snapshot().state, second.snapshot().state)
            #expect(whole.response?.head == cut.response?.head && whole.ending == cut.ending && whole.end == cut.end)
            #expect(whole.response?.body.kept == cut.response?.body.kept && whole.responseHead == cut.responseHead)
            #expect(whole.response?.body.size == UInt64(size) && whole.response?.body.isComplete == true)
            #expect(ring.usedBytes == pieces.usedBytes && whole.counted == cut.counted)
            #expect(whole.request.head == cut.request.head && whole.requestEnd == cut.requestEnd && one.isOver)
            #expect(whole.request.body.isComplete == !hasBody && whole.kind == .http && ring.usedBytes == whole.counted)
        }
    }

    @Test("What happens to an exchange after a response that came whole is kept with it")
    func afterwards() throws {
        let head = Array("HTTP/1.1 200 OK\r\n\r\n".utf8)
        let ring = Self.ring()
        let exchange = try #require(Self.begin(ring, hasBody: false))
        Self.answer(exchange, head, size: 600)
        let before = exchange.snapshot().state
        exchange.lost("late")
        exchange.passed(10, from: .visitor)
        Self.answer(exchange, [1, 2, 3], size: 0)
        let after = exchange.snapshot().state
        #expect(before.fault == nil && after.fault == "late" && after.request.body.size == 10)
        #expect(before.response?.head == head && after.response?.head == [1, 2, 3] && after.ending == .complete)
        #expect(after.request.head == before.request.head && after.began == before.began && after.end == before.end)
    }

    @Test("Who still has an exchange that made room has its heads, and what it counted is free")
    func leavesWhileHeld() throws {
        let head = Array("HTTP/1.1 200 OK\r\n\r\n".utf8)
        let ring = Self.ring(exchanges: 1)
        let first = try #require(Self.begin(ring, hasBody: false))
        Self.answer(first, head, size: 600)
        #expect(first.snapshot().state.isWhole)
        let second = try #require(Self.begin(ring, hasBody: false))
        first.lost("late")
        first.passed(10, from: .server)
        let state = first.snapshot().state
        #expect(state.response?.head == head && state.response?.body.kept == [] && state.response?.body.size == 610)
        #expect(state.ending == .complete && state.counted == 0 && first.hasLeft && !second.hasLeft)
        #expect(ring.exchanges.map(\.id) == [second.id] && ring.usedBytes == second.snapshot().state.counted)
    }

    @Test("What nobody else has makes room, and gives all that it counted back", arguments: [false, true])
    func leavesUnheld(isWatched: Bool) throws {
        let head = Array("HTTP/1.1 200 OK\r\n\r\n".utf8)
        let ring = Self.ring(exchanges: 100)
        let reader = isWatched ? ring.watch() : nil
        // By then none of the first is among those that may be open.
        for number in 0..<1_000 {
            Self.answer(try #require(Self.begin(ring, "/\(number)", hasBody: false)), head, size: number)
        }
        weak let first = ring.exchanges.last
        let id = try #require(first?.id)
        _ = reader?.take()
        Self.answer(try #require(Self.begin(ring, hasBody: false)), head, size: 600)
        #expect(first == nil && ring.exchange(id) == nil && ring.exchanges.count == 100)
        #expect(ring.usedBytes == ring.exchanges.reduce(0) { $0 + $1.snapshot().state.counted })
        if let reader { #expect(reader.take().removed == [id]) }
    }

    @Test("An id is younger than those before it, and its text can be read again")
    func ids() throws {
        let ring = Self.ring()
        let ids = (0..<100).compactMap { _ in Self.begin(ring)?.id }
        #expect(ids.count == 100 && ids == ids.sorted() && Set(ids).count == 100)
        #expect(ids.map(\.description) == ids.map(\.description).sorted())
        for id in ids { #expect(CaptureID(id.description) == id) }
        for text in ["", "12", "019ad0c3f2a1b00g", "019AD0C3F2A1B004", "+19ad0c3f2a1b004"] {
            #expect(CaptureID(text) == nil)
        }
    }

    @Test("A body is cut at its bound, and counted to its end")
    func bodyIsCut() throws {
        let ring = Self.ring(body: 1_000)
        let exchange = try #require(Self.begin(ring))
        exchange.responded(Array("HTTP/1.1 200 OK\r\n\r\n".utf8), kind: .http, at: Self.start)
        Self.send(600, to: exchange)
        #expect(exchange.snapshot().state.response?.body.isWhole == true)
        for _ in 0..<10 { Self.send(600, to: exchange) }
        let body = try #require(exchange.snapshot().state.response?.body)
        #expect(body.kept.count == 1_000 && body.size == 6_600 && !body.isWhole)
        // Without its ring nothing would be kept.
        #expect(ring.exchanges.first === exchange)
    }

    @Test("With more exchanges than the bound, those that ended first go")
    func number() throws {
        let ring = Self.ring(exchanges: 3)
        let first = try #require(Self.begin(ring, "/1"))
        let second = try #require(Self.begin(ring, "/2"))
        let third = try #require(Self.begin(ring, "/3"))
        #expect(Self.begin(ring, "/4") == nil, "all of them are open")
        second.ended(.complete, at: Self.start)
        first.ended(.complete, at: Self.start)
        let fifth = try #require(Self.begin(ring, "/5"))
        #expect(ring.exchanges.map(\.id) == [fifth.id, third.id, first.id])
        #expect(ring.counts.total == 5 && ring.counts.oldest == first.id)
    }

    @Test("The budget is never exceeded, and what has left the ring gives all of it back")
    func budget() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(state: seed)
        for round in 0..<40 {
            let limit = Int.random(in: 2_000...200_000, using: &random)
            let ring = Self.ring(bytes: limit, exchanges: Int.random(in: 1...30, using: &random), body: 20_000)
            var open: [ExchangeCapture] = []
            for _ in 0..<400 {
                switch Int.random(in: 0..<9, using: &random) {
                case 0, 1: Self.begin(ring, hasBody: .random(using: &random)).map { open.append($0) }
                case 2:
                    guard let exchange = open.randomElement(using: &random) else { break }
                    exchange.responded([UInt8](repeating: 65, count: 300), kind: .websocket, at: Self.start)
                case 3, 4:
                    guard let exchange = open.randomElement(using: &random) else { break }
                    Self.send(Int.random(in: 1...9_000, using: &random), to: exchange)
                case 5:
                    guard let exchange = open.randomElement(using: &random) else { break }
                    let content = [UInt8](repeating: 1, count: Int.random(in: 0...4_096, using: &random))
                    exchange.frame(
                        FrameCapture(
                            moment: Self.start,
                            side: .server,
                            kind: .binary,
                            size: UInt64(content.count),
                            content: content
                        )
                    )
                    exchange.interim(content, at: Self.start)
                case 6:
                    guard let index = open.indices.randomElement(using: &random) else { break }
                    let exchange = open.remove(at: index)
                    exchange.completed(trailers: [1, 2, 3], at: Self.start)
                case 7:
                    guard let index = open.indices.randomElement(using: &random) else { break }
                    let size = Int.random(in: 0...30_000, using: &random)
                    Self.answer(open.remove(at: index), [UInt8](repeating: 65, count: 300), size: size)
                default:
                    guard let exchange = open.randomElement(using: &random), Bool.random(using: &random) else { break }
                    _ = ring.remove(exchange.id)
                }
                #expect(ring.usedBytes <= limit && ring.usedBytes >= 0, "seed \(seed), round \(round)")
            }
            for exchange in open {
                Self.send(5_000, to: exchange)
                exchange.requestEnded(trailers: [9], at: Self.start)
                exchange.ended(.complete, at: Self.start)
            }
            let counted = ring.exchanges.reduce(0) { $0 + $1.snapshot().state.counted }
            #expect(ring.usedBytes == counted, "seed \(seed), round \(round)")
            ring.clear()
            #expect(ring.usedBytes == 0, "seed \(seed), round \(round)")
            for exchange in open { Self.send(5_000, to: exchange) }
            #expect(ring.usedBytes == 0, "seed \(seed), round \(round)")
        }
    }

    @Test("When no exchange is over, the oldest open ones lose their bodies and stay as lines")
    func shedding() throws {
        let ring = Self.ring(bytes: 100_000, body: 60_000)
        let old = try #require(Self.begin(ring, "/old"))
        old.responded([], kind: .http, at: Self.start)
        Self.send(60_000, to: old, expected: 60_000)
        let young = try #require(Self.begin(ring, "/young"))
        young.responded([], kind: .http, at: Self.start)
        Self.send(60_000, to: young, expected: 60_000)
        Self.send(10, to: old)
        let body = try #require(old.snapshot().state.response?.body)
        #expect(body.kept.isEmpty && body.size == 60_010 && !body.isWhole)
        #expect(young.snapshot().state.response?.body.isWhole == true)
        #expect(ring.exchanges.count == 2)
    }

    @Test("A WebSocket keeps its latest messages, by number and by bytes")
    func frames() throws {
        let ring = Self.ring()
        for (size, kept) in [(10, CaptureBudget.frames), (4_096, CaptureBudget.frameBytes / 4_096)] {
            let exchange = try #require(Self.begin(ring))
            exchange.responded([], kind: .websocket, at: Self.start)
            let feed = ring.watch()
            for number in 0..<30_000 {
                let content = [UInt8](repeating: UInt8(number & 0x7F), count: size)
                exchange.frame(
                    FrameCapture(moment: Self.start, side: .visitor, kind: .text, size: UInt64(size), content: content)
                )
                // A reader that has a copy while the next message comes.
                if number % 1_000 == 0 { #expect(feed.take().changed.first?.snapshot().state.frames != nil) }
            }
            let frames = try #require(exchange.snapshot().state.frames)
            #expect(frames.total == 30_000)
            #expect(frames.frames.last?.number == 29_999)
            #expect(frames.frames.count <= kept && frames.frames.count >= kept / 2, "\(frames.frames.count)")
            #expect(frames.count == frames.frames.count && frames.firstNumber == frames.frames.first?.number)
            #expect(frames.frames.allSatisfy { $0.content == [UInt8](repeating: UInt8($0.number & 0x7F), count: size) })
            #expect(frames.frames(after: 29_989, limit: 3).map(\.number) == [29_990, 29_991, 29_992])
            #expect(frames.bytes <= CaptureBudget.frameBytes)
        }
    }

    @Test("A reader learns what has changed and what is gone, once; a slow one looks again at everything")
    func feed() throws {
        let ring = Self.ring(exchanges: 2)
        let early = try #require(Self.begin(ring))
        let feed = ring.watch()
        #expect(feed.take().isEmpty)
        early.responded([], kind: .http, at: Self.start)
        early.ended(.complete, at: Self.start)
        #expect(feed.take().changed.map(\.id) == [early.id])
        #expect(feed.take().isEmpty)
        for _ in 0..<2 { Self.begin(ring)?.ended(.complete, at: Self.start) }
        let changes = feed.take()
        #expect(changes.changed.count == 2 && changes.removed == [early.id])
        ring.clear()
        #expect(feed.take().isReset)
        let busy = Self.ring()
        let slow = busy.watch()
        for _ in 0..<(busy.budget.exchanges + 1 + ChangeFeed.maximumRemovals) {
            Self.begin(busy)?.ended(.complete, at: Self.start)
        }
        #expect(slow.take().isReset)
        #expect(slow.take().isEmpty)
    }

    @Test("Each reader has its own place, and what changes after its end is seen, too")
    func readers() throws {
        let ring = Self.ring()
        let before = try #require(Self.begin(ring))
        let first = ring.watch()
        let early = try #require(Self.begin(ring))
        let second = ring.watch()
        let late = try #require(Self.begin(ring))
        #expect(Set(first.take().changed.map(\.id)) == [early.id, late.id])
        #expect(second.take().changed.map(\.id) == [late.id])
        // An answer that was complete before the upload: this goes on, behind younger exchanges that have ended.
        early.completed(trailers: [], at: Self.start)
        late.completed(trailers: [], at: Self.start)
        #expect(first.take().changed.count == 2)
        [1, 2, 3].withUnsafeBytes { early.requestBody($0, expected: nil) }
        #expect(first.take().changed.map(\.id) == [early.id])
        #expect(Set(second.take().changed.map(\.id)) == [early.id, late.id])
        #expect(ring.remove(early.id))
        [1, 2, 3].withUnsafeBytes { early.requestBody($0, expected: nil) }
        let changes = second.take()
        #expect(changes.changed.isEmpty && changes.removed == [early.id] && !changes.isReset)
        before.ended(.failed("x"), at: Self.start)
        #expect(second.take().changed.map(\.id) == [before.id])
    }

    @Test("An exchange whose body made room is seen to change")
    func sheddingIsSeen() throws {
        let ring = Self.ring(bytes: 100_000, body: 60_000)
        let old = try #require(Self.begin(ring, "/old"))
        old.responded([], kind: .http, at: Self.start)
        Self.send(60_000, to: old, expected: 60_000)
        let feed = ring.watch()
        let young = try #require(Self.begin(ring, "/young"))
        young.responded([], kind: .http, at: Self.start)
        #expect(feed.take().changed.map(\.id) == [young.id])
        Self.send(60_000, to: young, expected: 60_000)
        #expect(Set(feed.take().changed.map(\.id)) == [old.id, young.id])
        // It is open, and is followed on.
        Self.send(10, to: old)
        #expect(feed.take().changed.map(\.id) == [old.id])
    }

    @Test("Behind an exchange that stays open, those that leave cost nothing, and each is found by its id")
    func holes() throws {
        let ring = Self.ring(exchanges: 50)
        let open = try #require(Self.begin(ring, "/open"))
        for _ in 0..<2_000 {
            let exchange = try #require(Self.begin(ring))
            exchange.ended(.complete, at: Self.start)
            #expect(ring.exchange(exchange.id) === exchange)
        }
        #expect(ring.exchange(open.id) === open && ring.countsByTunnel == ["my-app": 50])
        let other = ring.begin(ExchangeOrigin(tunnel: "other", connection: 1), head: [], at: Self.start)
        #expect(other != nil && ring.countsByTunnel == ["my-app": 49, "other": 1])
        #expect(try ring.remove(#require(other).id) && Self.begin(ring) != nil)
        #expect(ring.counts.kept == 50 && ring.counts.oldest == open.id)
        #expect(ring.exchange(CaptureID(open.id.value + 1)) == nil)
        #expect(ring.remove(open.id) && !ring.remove(open.id))
        #expect(ring.counts.oldest.map { $0 > open.id } == true)
    }

    @Test("A ring that nobody has any more is freed with its exchanges, and who writes one of them does no harm")
    func isFreed() throws {
        struct Weak {
            weak var exchange: ExchangeCapture?
        }
        func make() throws -> (kept: Weak, written: ExchangeCapture) {
            let ring = Self.ring()
            let kept = Weak(exchange: Self.begin(ring, "/kept"))
            #expect(kept.exchange != nil)
            return (kept, try #require(Self.begin(ring, "/written")))
        }
        let (kept, written) = try make()
        #expect(kept.exchange == nil)
        written.responded([1], kind: .http, at: Self.start)
        Self.send(10, to: written)
        written.completed(trailers: [], at: Self.start)
        #expect(written.snapshot().state.response?.body.size == 10)
    }

    @Test("Dates come from one comparison of the clocks")
    func clock() {
        let clock = CaptureClock(date: 5_000, deadline: Self.start)
        #expect(clock.milliseconds(Self.start + .microseconds(1_500)) == 5_001.5)
        #expect(clock.milliseconds(Self.start - .milliseconds(2)) == 4_998)
    }
}

/// A generator whose sequence a seed determines (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
