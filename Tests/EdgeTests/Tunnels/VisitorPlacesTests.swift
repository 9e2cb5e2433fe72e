// SPDX-License-Identifier: Apache-2.0

import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Testing

@testable import EdgeTunnels

@Suite("The requests of one address")
struct VisitorPlacesTests {
    private final class Holder: VisitorPlaceHolder {
        func giveWay(_ ticket: VisitorTicket) {}
    }

    private let loop = EmbeddedEventLoop()
    private let one = CallerAddress(IPAddress("192.0.2.1"))
    private let other = CallerAddress(IPAddress("192.0.2.2"))

    private func place() -> VisitorPlace { VisitorPlace(Holder(), on: self.loop) }

    private func time(_ milliseconds: Int64) -> NIODeadline {
        .uptimeNanoseconds(1_000_000_000) + .milliseconds(milliseconds)
    }

    private func enter(
        _ places: inout VisitorPlaces,
        _ address: CallerAddress,
        bound: Int = 3,
        at milliseconds: Int64
    ) -> (ticket: VisitorTicket?, place: VisitorPlace, victim: VisitorPlace?) {
        let place = self.place()
        switch places.enter(place, from: address, bound: bound, now: self.time(milliseconds)) {
        case .entered(let ticket): return (ticket, place, nil)
        case .inPlace(let ticket, let victim, _): return (ticket, place, victim)
        case .full: return (nil, place, nil)
        }
    }

    @Test("An address has its bound, another one its own, and a request that ends makes room")
    func bound() throws {
        var places = VisitorPlaces()
        let tickets = (0..<3).map { self.enter(&places, self.one, at: $0).ticket }
        #expect(!tickets.contains(nil))
        #expect(self.enter(&places, self.one, at: 4).ticket == nil)
        #expect(self.enter(&places, self.other, at: 4).ticket != nil)
        places.leave(try #require(tickets[1]))
        #expect(self.enter(&places, self.one, at: 5).ticket != nil)
        #expect(self.enter(&places, self.one, at: 6).ticket == nil)
        #expect(places.count == 4)
    }

    @Test("The one on which nothing has passed for the longest time gives way, and one that works never does")
    func idle() throws {
        var places = VisitorPlaces()
        let first = self.enter(&places, self.one, at: 0)
        let second = self.enter(&places, self.one, at: 10)
        let third = self.enter(&places, self.one, at: 20)
        #expect(self.enter(&places, self.one, at: 999).victim == nil)
        first.place.used(now: self.time(900))
        let fourth = self.enter(&places, self.one, at: 1_010)
        #expect(fourth.ticket != nil && fourth.victim === second.place)
        // What has given way ends by itself, and takes nobody's place with it.
        places.leave(try #require(second.ticket))
        #expect(places.count == 3)
        #expect(self.enter(&places, self.one, at: 1_020).victim === third.place)
        #expect(self.enter(&places, self.one, at: 1_900).victim === first.place)
        #expect(self.enter(&places, self.one, at: 1_901).ticket == nil)
    }

    @Test("However requests come and go, the table holds exactly those that are under way (seed printed)")
    func random() {
        let seed = UInt64.random(in: 0...(.max))
        print("seed \(seed)")
        var state = seed
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        var places = VisitorPlaces()
        let addresses = (0..<4).map { CallerAddress(IPAddress("2001:db8:0:\($0)::1")) }
        var open: [(ticket: VisitorTicket, place: VisitorPlace, address: Int)] = []
        for step in 0..<20_000 {
            if next(2) == 0, !open.isEmpty {
                places.leave(open.remove(at: next(open.count)).ticket)
            } else {
                let address = next(4)
                let entered = self.enter(&places, addresses[address], bound: 8, at: Int64(step * next(40)))
                let mine = open.filter { $0.address == address }
                if let victim = entered.victim { open.removeAll { $0.place === victim } }
                if let ticket = entered.ticket {
                    #expect(mine.count < 8 || entered.victim != nil, "seed \(seed)")
                    open.append((ticket, entered.place, address))
                } else {
                    #expect(mine.count == 8, "seed \(seed)")
                }
            }
            #expect(places.count == open.count, "seed \(seed)")
        }
        for entry in open { places.leave(entry.ticket) }
        #expect(places.count == 0)
    }

    @Test("An address is a host of IPv4, a /64 of IPv6, and everything else together")
    func address() {
        let caller = { (text: String) in CallerAddress(IPAddress(text)) }
        #expect(caller("2001:db8::1") == caller("2001:db8::ffff:1"))
        #expect(caller("2001:db8::1") != caller("2001:db8:0:1::1"))
        #expect(caller("::ffff:192.0.2.1") == caller("192.0.2.1"))
        #expect(caller("192.0.2.1") != caller("192.0.2.2"))
        #expect(caller("::c000:201:0:0:0:0") != caller("192.0.2.1"))
        #expect(caller("0.0.0.0") != CallerAddress(nil))
    }
}
