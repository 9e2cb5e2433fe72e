// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import EdgeTunnels

@Suite("The balance of connectors among edges")
struct ConnectorBalanceTests {
    private func total(own: Int, others: [Int], seconds: Int) -> Int {
        var balance = ConnectorBalance()
        return (0...seconds).reduce(0) { total, second in
            let now = NIODeadline.uptimeNanoseconds(UInt64(second) * 1_000_000_000)
            return total + balance.excess(own: own, others: others, now: now)
        }
    }

    @Test("Nobody has to go while an edge has a tenth more than the mean, or one more, at most")
    func tolerance() {
        #expect(self.total(own: 109, others: [96, 95], seconds: 600) == 0)
        #expect(self.total(own: 2, others: [0, 1], seconds: 600) == 0)
        #expect(self.total(own: 90, others: [100, 110], seconds: 600) == 0)
        #expect(self.total(own: 0, others: [0], seconds: 600) == 0)
    }

    @Test("A hundredth of the mean goes in a second, and never more at once than is too much")
    func pace() {
        #expect(self.total(own: 200, others: [0], seconds: 20) == 20)
        #expect(self.total(own: 20, others: [0], seconds: 25) == 2)
        var balance = ConnectorBalance()
        let start = NIODeadline.uptimeNanoseconds(0)
        #expect(balance.excess(own: 4_000, others: [0], now: start) == 0)
        // An hour that nobody watched counts as ten seconds.
        #expect(balance.excess(own: 4_000, others: [0], now: start + .hours(1)) == 200)
        #expect(balance.excess(own: 12, others: [7, 7], now: start + .hours(2)) <= 3)
    }

    @Test("Six edges of which three are new are within a fifth of the mean in five minutes")
    func threeMore() {
        var generator = SystemRandomNumberGenerator()
        var counts = [200, 200, 200, 0, 0, 0]
        var balances = counts.map { _ in ConnectorBalance() }
        for second in stride(from: 0, through: 300, by: 3) {
            let now = NIODeadline.uptimeNanoseconds(UInt64(second) * 1_000_000_000)
            let told = counts
            var turn = Int.random(in: 0..<6, using: &generator)
            for edge in 0..<6 {
                let others = told.indices.filter { $0 != edge }.map { told[$0] }
                let moved = balances[edge].excess(own: told[edge], others: others, now: now)
                for _ in 0..<moved {
                    counts[edge] -= 1
                    counts[turn % 6] += 1
                    turn += 1
                }
            }
        }
        #expect(counts.reduce(0, +) == 600)
        #expect(counts.allSatisfy { (80...120).contains($0) }, "\(counts)")
    }
}
