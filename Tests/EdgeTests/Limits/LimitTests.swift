// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Synchronization
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

@Suite("Limits")
struct LimitTests {
    @Test("A bucket allows its burst, refuses the next call and says for how long")
    func bucket() {
        let limit = RateLimit(5, perSeconds: 60)
        var bucket = TokenBucket(limit, now: 0)
        for remaining in (0..<5).reversed() {
            let decision = bucket.take(limit, now: 0)
            #expect(decision.isAllowed)
            #expect(decision.remaining == remaining)
        }
        let sixth = bucket.take(limit, now: 0)
        #expect(sixth == RateDecision(isAllowed: false, remaining: 0, resetSeconds: 12))
        let later = [11.9, 12, 12].map { bucket.take(limit, now: $0).isAllowed }
        #expect(later == [false, true, false])
    }

    @Test("A bucket never holds more than its burst, and a clock that goes back gives nothing")
    func bucketBounds() {
        let limit = RateLimit(2, perSeconds: 1)
        var bucket = TokenBucket(limit, now: 100)
        let allowed = [1000.0, 1000, 1000, 500].map { bucket.take(limit, now: $0).isAllowed }
        #expect(allowed == [true, true, false, false])
    }

    @Test("A hundred thousand callers take no more memory than the table's bound")
    func boundedTable() {
        var table = BucketTable<Int>(RateLimit(5, perSeconds: 60), capacity: 1000)
        for caller in 0..<100_000 { _ = table.take(caller, now: 0) }
        #expect(table.count <= 1000)
    }

    @Test("Up to half the capacity of others does not make a caller be forgotten")
    func rememberedCaller() {
        var table = BucketTable<Int>(RateLimit(1, perSeconds: 60), capacity: 100)
        var decisions = [table.take(-1, now: 0).isAllowed]
        for caller in 0..<49 { _ = table.take(caller, now: 0) }
        decisions += [table.take(-1, now: 0).isAllowed, table.peek(-1, now: 0).isAllowed]
        #expect(decisions == [true, false, false])
    }

    @Test("Ten thousand wrong keys from one address are refused after the fifth; elsewhere nothing changes")
    func bruteForce() throws {
        let time = Mutex(0.0)
        let limits = APILimits(now: { time.withLock { $0 } })
        let attacker = try SocketAddress(ipAddress: "203.0.113.9", port: 1)
        let other = try SocketAddress(ipAddress: "203.0.113.10", port: 1)
        let allowed = (0..<10_000).count { _ in limits.failure(from: attacker).isAllowed }
        #expect(allowed == 5)
        #expect(limits.failure(from: other).isAllowed)
        time.withLock { $0 = 60 }
        #expect(limits.failure(from: attacker).isAllowed)
    }

    @Test("Wrong keys of an address count over edges; who is refused, and too many strangers, cost nothing there")
    func bruteForceOverEdges() async throws {
        let directory = InMemoryTunnelDirectory(now: { 1_000_000 })
        let edges = (0..<3).map { _ in APILimits(directory: directory, now: { 0 }) }
        let attacker = try SocketAddress(ipAddress: "203.0.113.9", port: 1)
        var allowed = 0
        for turn in 0..<300 where await edges[turn % 3].wrongKey(from: attacker).isAllowed { allowed += 1 }
        #expect(allowed == 5)
        #expect(await edges[0].wrongKey(from: try SocketAddress(ipAddress: "203.0.113.10", port: 1)).isAllowed)
        // Alone while nobody can be asked.
        directory.isUp = false
        let other = try SocketAddress(ipAddress: "203.0.113.11", port: 1)
        allowed = 0
        for turn in 0..<300 where await edges[turn % 3].wrongKey(from: other).isAllowed { allowed += 1 }
        #expect(allowed == 15)
        directory.isUp = true
        let alone = APILimits(directory: directory, now: { 0 })
        var told = 0
        for number in 0..<1_000 {
            let address = try SocketAddress(ipAddress: "198.51.\(number >> 8).\(number & 255)", port: 1)
            #expect(await alone.wrongKey(from: address).isAllowed)
            let caller = CallerAddress(IPAddress(address))
            let limit = RateLimit(5, perSeconds: 60)
            if try await directory.take(0, from: "logins:\(caller)", limit: limit).left < 5 { told += 1 }
        }
        #expect(told == 200)
    }

    @Test("While the directory is away each of the edges last seen allows its share, and all together what one would")
    func limitsOfAloneEdges() async throws {
        let directory = InMemoryTunnelDirectory(now: { 1_000_000 })
        let time = Mutex(0.0)
        var settings = APILimits.Settings()
        settings.creations = RateLimit(12, perSeconds: 12)
        settings.failures = RateLimit(12, perSeconds: 12)
        let edges = (0..<3).map { _ in
            APILimits(settings, directory: directory, edges: { 3 }, now: { time.withLock { $0 } })
        }
        let address = try SocketAddress(ipAddress: "203.0.113.9", port: 1)
        func allowed() async -> [Int] {
            var counts = [0, 0, 0, 0]
            for turn in 0..<90 {
                if await edges[turn % 3].decide(.calls, by: "k").isAllowed { counts[0] += 1 }
                if await edges[turn % 3].decide(.creations, by: "k").isAllowed { counts[1] += 1 }
                if await edges[turn % 3].decide(.codes, by: "k").isAllowed { counts[2] += 1 }
                if await edges[turn % 3].wrongKey(from: address).isAllowed { counts[3] += 1 }
            }
            return counts
        }
        directory.isUp = false
        #expect(await allowed() == [9, 12, 12, 12])
        time.withLock { $0 = 3 }
        #expect(await allowed() == [9, 3, 3, 3])
        // An edge that knows no other one has all of it.
        let alone = APILimits(settings, directory: directory, edges: { 0 }, now: { 0 })
        var count = 0
        for _ in 0..<90 where await alone.decide(.creations, by: "k").isAllowed { count += 1 }
        #expect(count == 12)
    }

    @Test("From a hundred thousand addresses the tables stay within their bound")
    func manyAddresses() throws {
        var settings = APILimits.Settings()
        settings.tableCapacity = 4096
        let limits = APILimits(settings)
        for number in 0..<100_000 {
            let text = "10.\(number >> 16 & 255).\(number >> 8 & 255).\(number & 255)"
            _ = limits.failure(from: try SocketAddress(ipAddress: text, port: 1))
        }
        #expect(limits.rememberedCallers <= 4096)
    }

    @Test("The addresses of one /64 count as one caller, and a mapped address as the one it is")
    func callers() throws {
        func caller(_ text: String) throws -> CallerAddress {
            let address: IPAddress = try #require(IPAddress(text))
            return CallerAddress(address)
        }
        #expect(try caller("2001:db8::1") == caller("2001:db8::2"))
        #expect(try caller("2001:db8::1") != caller("2001:db8:0:1::1"))
        #expect(try caller("::ffff:192.0.2.1") == caller("192.0.2.1"))
        #expect(try caller("192.0.2.1") != caller("192.0.2.2"))
    }

    @Test(
        "A range contains what its prefix covers",
        arguments: [
            ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false), ("0.0.0.0/0", "1.2.3.4", true),
            ("192.0.2.7", "192.0.2.7", true), ("192.0.2.7", "192.0.2.8", false), ("10.0.0.0/9", "10.128.0.0", false),
            ("2001:db8::/33", "2001:db8:7fff::1", true), ("2001:db8::/33", "2001:db8:8000::1", false),
            ("::/0", "1.2.3.4", false), ("192.0.2.0/24", "::ffff:192.0.2.3", true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true), ("::ffff:10.0.0.0/104", "11.0.0.0", false),
            ("::ffff:192.0.2.7", "192.0.2.7", true), ("10.9.9.9/8", "10.0.0.1", true),
        ]
    )
    func ranges(range: String, address: String, isInside: Bool) throws {
        #expect(try #require(AddressRange(range)).contains(try #require(IPAddress(address))) == isInside)
    }

    @Test(
        "What is no range is refused",
        arguments: [
            "", "10", "10.0.0.0/33", "::/129", "10.0.0.0/", "a/8", "1.2.3.4/8/9", "10.0.0.0/-0", "10.0.0.0/+8",
            "10.0.0.0/٨", "10.0.0.1\u{0}", "10.0.0.1\u{0}x/8", "fe80::1%eth0", " 10.0.0.1", "010.0.0.1",
            // These would be everybody, and nobody means them.
            "::ffff:10.0.0.0/8", "::ffff:10.0.0.0/95", "::ffff:10.0.0.0/129",
        ]
    )
    func malformedRanges(text: String) {
        #expect(AddressRange(text) == nil)
    }
}
