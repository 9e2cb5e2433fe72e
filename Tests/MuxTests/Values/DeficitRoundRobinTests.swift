// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Mux

@Suite("Who sends next (B.8.2)")
struct DeficitRoundRobinTests {
    /// What the streams of a simulation have to send.
    private struct Simulation {
        var scheduler = DeficitRoundRobin()
        var random: SplitMix
        /// Bytes sent by each stream.
        var sent: [Int]
        /// Bytes sent by all since the first stream was last served.
        var since = 0
        /// The most that was ever sent between two turns of the first stream.
        var worstWait = 0

        init(streams: Int, urgency: (Int) -> UInt8 = { _ in 3 }, seed: UInt64 = 1) {
            self.random = SplitMix(seed: seed)
            self.sent = Array(repeating: 0, count: streams)
            for stream in 0..<streams { self.scheduler.activate(stream, urgency: urgency(stream)) }
        }

        /// Serves one frame of a backlogged stream.
        mutating func serve(_ size: Int) {
            guard let stream = self.scheduler.next() else { return }
            self.scheduler.served(stream, bytes: size + 8)
            self.worstWait = max(self.worstWait, self.since)
            self.since = stream == 0 ? 0 : self.since + size
            self.sent[stream] += size
        }

        /// Jain's index: 1 if all have sent the same.
        var fairness: Double {
            let total = Double(self.sent.reduce(0, +))
            let squares = self.sent.reduce(0.0) { $0 + Double($1) * Double($1) }
            return total * total / (Double(self.sent.count) * squares)
        }
    }

    @Test("backlogged streams share by bytes whatever their writes are (P6)", arguments: [2, 10, 1_000])
    func fairness(_ count: Int) {
        var simulation = Simulation(streams: count, seed: UInt64(count))
        // Each stream has its own size of write, so its own size of frame.
        let sizes = (0..<count).map { _ in Int.random(in: 1...(1 << 20), using: &simulation.random) }
        let enough = 64 * count * DeficitRoundRobin.quantum
        var total = 0
        while total < enough {
            guard let stream = simulation.scheduler.next() else { break }
            let size = min(sizes[stream], 16_352)
            simulation.scheduler.served(stream, bytes: size)
            simulation.sent[stream] += size
            total += size
        }
        #expect(simulation.fairness >= 0.99, "sizes of seed \(count)")
    }

    @Test("urgencies get their weights within a tenth (P6)")
    func weights() {
        let weights: [UInt8: Double] = [0: 4, 1: 4, 2: 2, 3: 1, 4: 1, 5: 0.5, 6: 0.5, 7: 0.25]
        var simulation = Simulation(streams: 16) { UInt8($0 % 8) }
        for _ in 0..<40_000 { simulation.serve(Int.random(in: 1_000...16_352, using: &simulation.random)) }
        let unit = Double(simulation.sent.reduce(0, +)) / (2 * weights.values.reduce(0, +))
        for stream in 0..<16 {
            let expected = unit * (weights[UInt8(stream % 8)] ?? 0)
            #expect(abs(Double(simulation.sent[stream]) - expected) <= 0.1 * expected, "stream \(stream)")
        }
    }

    @Test(
        "a ready stream waits no longer than one round, or as many as its turns take to pay for a frame (I10)",
        arguments: [0, 3, 5, 7] as [UInt8]
    )
    func wait(_ urgency: UInt8) {
        var simulation = Simulation(streams: 50, urgency: { $0 == 0 ? urgency : UInt8($0 % 8) })
        for _ in 0..<5_000 { simulation.serve(Int.random(in: 1...16_352, using: &simulation.random)) }
        let turn = DeficitRoundRobin.quantum(urgency: urgency)
        let rounds = max(1, (16_360 + turn - 1) / turn)
        let round = (0..<50).reduce(0) { $0 + DeficitRoundRobin.quantum(urgency: UInt8($1 % 8)) + 16_352 }
        #expect(simulation.worstWait <= rounds * round)
    }

    @Test("a stream that has just become busy is next among a thousand others (P7)")
    func sparse() {
        var simulation = Simulation(streams: 1_000)
        for _ in 0..<5_000 { simulation.serve(16_352) }
        simulation.scheduler.activate(1_000, urgency: 3)
        #expect(simulation.scheduler.next() == 1_000)
    }

    @Test("one that becomes busy again at once does not keep its priority")
    func noMonopoly() {
        var scheduler = DeficitRoundRobin()
        scheduler.activate(0, urgency: 3)
        scheduler.activate(1, urgency: 3)
        // Both leave the list of the new by sending more than a turn.
        for _ in 0..<2 {
            let stream = scheduler.next()
            #expect(stream != nil)
            if let stream { scheduler.served(stream, bytes: 20_000) }
        }
        scheduler.activate(2, urgency: 3)
        #expect(scheduler.next() == 2)
        scheduler.served(2, bytes: 100)
        scheduler.idled(2)
        // Again and again, at once: half a turn is all that it gets ahead of the others.
        var ahead = 100
        while ahead < 1 << 20 {
            scheduler.activate(2, urgency: 3)
            guard scheduler.next() == 2 else { break }
            scheduler.served(2, bytes: 100)
            scheduler.idled(2)
            ahead += 100
        }
        #expect((DeficitRoundRobin.quantum / 2...DeficitRoundRobin.quantum).contains(ahead))
    }

    @Test("one that uses less than its share is always next, however often it comes")
    func asksAndAnswers() {
        var scheduler = DeficitRoundRobin()
        for stream in 0..<64 { scheduler.activate(stream, urgency: 3) }
        for _ in 0..<64 {
            if let stream = scheduler.next() { scheduler.served(stream, bytes: 16_384) }
        }
        for _ in 0..<1_000 {
            scheduler.activate(64, urgency: 3)
            #expect(scheduler.next() == 64)
            scheduler.served(64, bytes: 2_056)
            #expect(scheduler.next() == 64)
            scheduler.idled(64)
            // Three fifths of a round until it asks again.
            for _ in 0..<38 {
                if let stream = scheduler.next() { scheduler.served(stream, bytes: 16_384) }
            }
        }
    }

    @Test("the slot of a stream that has ended owes nothing")
    func newStream() {
        var scheduler = DeficitRoundRobin()
        for stream in 0..<2 { scheduler.activate(stream, urgency: 3) }
        for _ in 0..<2 {
            if let stream = scheduler.next() { scheduler.served(stream, bytes: 40_000) }
        }
        scheduler.remove(0)
        scheduler.activate(0, urgency: 3)
        #expect(scheduler.next() == 0)
    }

    @Test("a stream with nothing to send leaves the list, also from its middle")
    func leave() {
        var scheduler = DeficitRoundRobin()
        for slot in 0..<5 { scheduler.activate(slot, urgency: 3) }
        scheduler.remove(2)
        scheduler.remove(0)
        scheduler.remove(4)
        #expect(!scheduler.contains(2))
        #expect(scheduler.next() == 1)
        scheduler.remove(1)
        #expect(scheduler.next() == 3)
        scheduler.remove(3)
        #expect(scheduler.next() == nil)
        #expect(scheduler.isEmpty)
    }

    @Test("being activated twice counts once")
    func twice() {
        var scheduler = DeficitRoundRobin()
        scheduler.activate(7, urgency: 3)
        scheduler.activate(7, urgency: 0)
        scheduler.remove(7)
        #expect(scheduler.isEmpty)
    }
}
