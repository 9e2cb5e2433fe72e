// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import EdgeTunnels

@Suite("A limit of requests that several edges keep together")
struct SharedBucketTests {
    private static let limit = RateLimit(50, perSeconds: 1)

    /// Edges that tell what they took every 50 ms, each at its own time, and learn 5 ms later what is left.
    ///
    /// - Parameter rates: How many requests a second come to each.
    /// - Returns: How many are let in, second by second.
    private func served(_ rates: [Double], isTold: Bool = true) -> [Int] {
        var edges = rates.map { _ in SharedBucket() }
        var answers: [[(at: Double, left: Double)]] = rates.map { _ in [] }
        var shared = (left: Self.limit.burst, at: 0.0)
        var counts = [Int](repeating: 0, count: 10)
        for step in 0..<10_000 {
            let now = Double(step) / 1_000
            for edge in edges.indices {
                while let first = answers[edge].first, first.at <= now {
                    edges[edge].learn(left: first.left, now: now)
                    answers[edge].removeFirst()
                }
                let due = Int(now * rates[edge]) - Int((now - 0.001) * rates[edge])
                for _ in 0..<max(0, due) where edges[edge].take(Self.limit, now: now).isAllowed {
                    counts[step / 1_000] += 1
                }
                guard (step + 17 * edge).isMultiple(of: 50) else { continue }
                _ = edges[edge].beginTelling()
                guard let count = edges[edge].takeSpent() else { continue }
                guard isTold else {
                    edges[edge].divide(among: rates.count)
                    continue
                }
                let left = min(Self.limit.burst, shared.left + (now - shared.at) * Self.limit.perSecond) - Double(count)
                shared = (max(-Self.limit.burst, left), now)
                answers[edge].append((now + 0.005, shared.left))
            }
        }
        return counts
    }

    @Test(
        "Fifty a second stay fifty over three edges, however the requests are spread, and where one edge has them all",
        arguments: [[50.0, 50, 50], [200, 200, 200], [300, 20, 20], [150, 0, 0], [40, 40, 40, 40, 40, 40]]
    )
    func together(rates: [Double]) {
        let counts = self.served(rates)
        // The first second has what the bucket held, too.
        let later = counts.dropFirst(2)
        #expect((45.0...55.0).contains(Double(later.reduce(0, +)) / Double(later.count)), "\(counts)")
    }

    @Test("Edges that can't tell each other take their shares")
    func alone() {
        let counts = self.served([100, 100, 100], isTold: false)
        let later = counts.dropFirst(3)
        #expect((45.0...55.0).contains(Double(later.reduce(0, +)) / Double(later.count)), "\(counts)")
    }

    @Test("One edge lets in at once what the limit holds, and tells it once")
    func burst() {
        var bucket = SharedBucket()
        let early = bucket.beginTelling()
        let allowed = (0..<60).count { _ in bucket.take(Self.limit, now: 1).isAllowed }
        let telling = [bucket.beginTelling(), bucket.beginTelling()]
        let spent = [bucket.takeSpent(), bucket.takeSpent()]
        let later = bucket.beginTelling()
        #expect(!early && allowed == 50 && telling == [true, false] && spent == [50, nil] && !later)
        bucket.learn(left: -10, now: 1)
        let owed = bucket.take(Self.limit, now: 1.2).isAllowed
        let repaid = bucket.take(Self.limit, now: 1.23).isAllowed
        #expect(!owed && repaid)
    }
}
