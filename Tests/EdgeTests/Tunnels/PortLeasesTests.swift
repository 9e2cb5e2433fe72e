// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import NIOCore
import Testing

@testable import EdgeTunnels

@Suite("Leases of ports")
struct PortLeasesTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    private func id(_ name: String) throws -> TunnelID { try #require(TunnelID(name)) }

    @Test("A tunnel keeps its port, wishes are granted while the port is free, and the range is a bound")
    func wishes() throws {
        let leases = Held(PortLeases(range: 20_000...20_009))
        let (one, other) = (try self.id("one"), try self.id("other"))
        let first = try leases.does { try $0.take(nil, for: one, now: self.start) }
        #expect((20_000...20_009).contains(first))
        #expect(try leases.does { try $0.take(nil, for: one, now: self.start) } == first)
        #expect(throws: PortRefusal.taken(first)) {
            try leases.does { try $0.take(first, for: other, now: self.start) }
        }
        #expect(throws: PortRefusal.outside(20_000...20_009)) {
            try leases.does { try $0.take(20_010, for: other, now: self.start) }
        }
        // A tunnel that wishes for another port gives the one that it has free.
        let second: UInt16 = first == 20_009 ? 20_000 : first + 1
        #expect(try leases.does { try $0.take(second, for: one, now: self.start) } == second)
        #expect(try leases.does { try $0.take(first, for: other, now: self.start) } == first)
    }

    @Test("Of two tunnels whose tokens say the port is theirs the one with the later word has it, in either order")
    func laterWord() throws {
        let (former, present) = (try self.id("former"), try self.id("present"))
        for isFormerFirst in [true, false] {
            let leases = Held(PortLeases(range: 20_000...20_009))
            let returns = { (id: TunnelID, version: Double) in
                try leases.does {
                    try $0.take(20_003, for: id, version: version, isReturning: true, now: self.start)
                }
            }
            if isFormerFirst { #expect(try returns(former, 10) == 20_003) }
            #expect(try returns(present, 20) == 20_003)
            #expect(throws: PortRefusal.taken(20_003)) { try returns(former, 10) }
            #expect(leases.does { $0.holder(of: 20_003) } == present)
            #expect(leases.does { $0.port(of: former) } == nil)
        }
    }

    @Test("A later word takes no port from another tunnel that the token does not name, nor by a wish")
    func noOtherPort() throws {
        let leases = Held(PortLeases(range: 20_000...20_000))
        let (one, other) = (try self.id("one"), try self.id("other"))
        _ = try leases.does { try $0.take(20_000, for: one, version: 10, now: self.start) }
        #expect(throws: PortRefusal.taken(20_000)) {
            try leases.does { try $0.take(20_000, for: other, version: 20, now: self.start) }
        }
        #expect(throws: PortRefusal.noneFree(20_000...20_000)) {
            try leases.does { try $0.take(nil, for: other, version: 20, isReturning: true, now: self.start) }
        }
    }

    @Test("Each port of the range is given, and then none")
    func exhaustion() throws {
        let leases = Held(PortLeases(range: 20_000...20_009))
        var given: Set<UInt16> = []
        for number in 0..<10 {
            let id = try self.id("tunnel-\(number)")
            given.insert(try leases.does { try $0.take(nil, for: id, now: self.start) })
        }
        #expect(given == Set(20_000...20_009))
        #expect(throws: PortRefusal.noneFree(20_000...20_009)) {
            let id = try self.id("one-more")
            _ = try leases.does { try $0.take(nil, for: id, now: self.start) }
        }
    }

    @Test("A port is its tunnel's until the lease ends, and nobody's after a release")
    func leaseOfAPort() throws {
        let leases = Held(PortLeases(range: 20_000...20_000))
        let (one, other) = (try self.id("one"), try self.id("other"))
        #expect(try leases.does { try $0.take(nil, for: one, now: self.start) } == 20_000)
        leases.does { $0.keep(one, until: self.start + .seconds(10)) }
        #expect(throws: PortRefusal.self) {
            try leases.does { try $0.take(nil, for: other, now: self.start + .seconds(9)) }
        }
        #expect(try leases.does { try $0.take(nil, for: other, now: self.start + .seconds(10)) } == 20_000)
        #expect(leases.does { $0.port(of: one) } == nil)
        leases.does { $0.release(other) }
        #expect(try leases.does { try $0.take(20_000, for: one, now: self.start) } == 20_000)
    }

    @Test("A tunnel that comes back within its lease has its port again")
    func returning() throws {
        let leases = Held(PortLeases(range: 20_000...20_009))
        let one = try self.id("one")
        let port = try leases.does { try $0.take(nil, for: one, now: self.start) }
        leases.does { $0.keep(one, until: self.start + .seconds(10)) }
        #expect(try leases.does { try $0.take(nil, for: one, now: self.start + .seconds(5)) } == port)
        leases.does { $0.keep(one, until: self.start + .seconds(10)) }
        #expect(try leases.does { try $0.take(port, for: one, now: self.start + .seconds(20)) } == port)
    }

    @Test("After a restart a tunnel looks first where it looked before, and goes on from what others have")
    func restart() throws {
        for number in 0..<50 {
            let id = try self.id("tunnel-\(number)")
            let (before, after) = (Held(PortLeases(range: 20_000...20_099)), Held(PortLeases(range: 20_000...20_099)))
            let port = try before.does { try $0.take(nil, for: id, now: self.start) }
            #expect(try after.does { try $0.take(nil, for: id, now: self.start) } == port)
            #expect(try after.does { try $0.take(nil, for: id, except: [port], now: self.start) } != port)
        }
    }
}
