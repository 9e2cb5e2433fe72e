// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Edge
@testable import EdgeTunnels

@Suite("The pace at which a crowd of connectors is let in")
struct ConnectPacingTests {
    /// Has connectors arrive, each again when it is told to, and notes when each was let in.
    private func admissions(arrivals: [Double], seed: UInt64 = 7) -> [Double] {
        var pacing = ConnectPacing(perSecond: 75, now: 0)
        var generator = SplitMix(seed: seed)
        var queue = arrivals.sorted()
        var admitted: [Double] = []
        while !queue.isEmpty {
            let now = queue.removeFirst()
            switch pacing.arrive(now: now) {
            case .admit: admitted.append(now)
            case .comeBack(let seconds):
                #expect((1...ConnectPacing.horizon).contains(seconds))
                // As connectors do: the time, and a random part of a second.
                let again = now + Double(seconds) + Double.random(in: 0...1, using: &generator)
                queue.insert(again, at: queue.firstIndex { $0 > again } ?? queue.endIndex)
            }
        }
        return admitted
    }

    /// Arrivals within the first two seconds, as after a restart.
    private func crowd(_ count: Int) -> [Double] {
        (0..<count).map { 100 + 2 * Double($0) / Double(count) }
    }

    @Test("As many as a small edge has are let in at once")
    func few() {
        #expect(self.admissions(arrivals: Array(repeating: 100, count: 50)).allSatisfy { $0 == 100 })
    }

    @Test(
        "500 that come within two seconds are spread over five seconds at least, and all are in within 15",
        arguments: 1...20
    )
    func spread(seed: UInt64) throws {
        let admitted = self.admissions(arrivals: self.crowd(500), seed: seed)
        #expect(admitted.count == 500)
        let last = try #require(admitted.max())
        #expect(last - 100 >= 5)
        #expect(last - 100 <= 15)
    }

    @Test("A crowd that is more than the seconds hold is in within 40 s all the same", arguments: [2_000, 10_000])
    func largeCrowd(count: Int) throws {
        let admitted = self.admissions(arrivals: self.crowd(count))
        #expect(admitted.count == count)
        let last = try #require(admitted.max())
        #expect(last - 100 <= 40)
        var busiest = 0
        for second in 100...140 {
            busiest = max(busiest, admitted.count { Int($0) == second })
        }
        #expect(busiest <= count / 5)
    }

    @Test("After a quiet time it is as at the start")
    func quiet() {
        var pacing = ConnectPacing(perSecond: 75, now: 0)
        for _ in 0..<10_000 { _ = pacing.arrive(now: 5) }
        #expect((0..<50).allSatisfy { _ in pacing.arrive(now: 100) == .admit })
        #expect(pacing.arrive(now: 100) == .comeBack(afterSeconds: 1))
    }

    @Test("A clock that stands still or goes back does no harm")
    func clock() {
        var pacing = ConnectPacing(perSecond: 1, now: 10)
        #expect(pacing.arrive(now: 10) == .admit)
        #expect(pacing.arrive(now: 3) == .comeBack(afterSeconds: 1))
    }
}

/// Random numbers that a test can repeat.
private struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
