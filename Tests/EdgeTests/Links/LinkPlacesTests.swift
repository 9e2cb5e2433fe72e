// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import NIOCore
import Testing

@testable import EdgeLinks
@testable import EdgeTunnels

@Suite("Places of links")
struct LinkPlacesTests {
    private typealias Places = LinkPlaces<Int, String>

    private let pod = PodID("aaaaaaaaaa")
    private let other = PodID("bbbbbbbbbb")
    private let start = NIODeadline.now()

    private func id(_ name: String) throws -> TunnelID { try #require(TunnelID(name)) }

    private func wants(_ places: inout Places, _ tunnel: String, after time: TimeAmount = .zero) throws -> Places.Step {
        places.wants(self.pod, tunnel, id: try self.id(tunnel), now: self.start + time)
    }

    /// Places with link 1 open.
    private func open() throws -> Places {
        var places = Places()
        #expect(try self.wants(&places, "one") == .dial)
        #expect(places.opened(1, to: self.pod).ways == ["one"])
        return places
    }

    /// Places whose link 1 is silent, with ways of one tunnel.
    private func silent() throws -> Places {
        var places = try self.open()
        #expect(places.fellSilent(1, to: self.pod, ways: [try self.id("one"): "one"]) == .dial)
        return places
    }

    @Test("An edge is dialled once for all tunnels that want a way, and each is given one when the link has begun")
    func dialling() throws {
        var places = Places()
        #expect(try self.wants(&places, "one") == .dial)
        #expect(try self.wants(&places, "two") == .wait)
        #expect(try self.wants(&places, "two") == .wait)
        let (ways, givenUp) = places.opened(1, to: self.pod)
        #expect(Set(ways) == ["one", "two"] && ways.count == 2 && givenUp == nil)
        #expect(try self.wants(&places, "three") == .give(1))
        #expect(places.opened(2, to: self.pod).ways == [], "a spare one")
        #expect(try self.wants(&places, "three") == .give(1))
        #expect(places.wants(self.other, "three", id: try self.id("three"), now: self.start) == .dial)
    }

    @Test("An edge that can't be reached is left alone for a moment; its own link counts at once")
    func unreachable() throws {
        var places = Places()
        _ = try self.wants(&places, "one")
        #expect(places.failed(self.pod, now: self.start) == nil)
        #expect(try self.wants(&places, "one", after: Places.pause - .milliseconds(1)) == .wait)
        var later = places
        #expect(try self.wants(&later, "one", after: Places.pause) == .dial)
        #expect(places.opened(1, to: self.pod).ways == [])
        #expect(places.failed(self.pod, now: self.start) == nil, "a dial that ends later changes nothing")
        #expect(try self.wants(&places, "one") == .give(1))
    }

    @Test("Where the open link is silent another one is dialled, and tunnels wait; the new one has them all")
    func replaced() throws {
        var places = try self.silent()
        #expect(places.fellSilent(1, to: self.pod, ways: [:]) == .nothing, "it is known")
        #expect(try self.wants(&places, "two") == .wait)
        let (ways, givenUp) = places.opened(2, to: self.pod)
        #expect(Set(ways) == ["one", "two"] && givenUp == 1)
        #expect(places.spoke(1, to: self.pod) == nil, "too late")
        places.closing(1, to: self.pod)
        #expect(try self.wants(&places, "three") == .give(2))
    }

    @Test("A silent link that speaks before another one has begun is used again")
    func spoken() throws {
        var places = try self.silent()
        _ = try self.wants(&places, "two")
        #expect(places.spoke(1, to: self.pod).map(Set.init) == ["one", "two"])
        #expect(places.opened(2, to: self.pod).ways == [], "a spare one")
        #expect(places.failed(self.pod, now: self.start) == nil)
        #expect(try self.wants(&places, "three") == .give(1))
    }

    @Test(
        "A silent link is given up when its edge can't be dialled either, and dialled again when somebody wants a way"
    )
    func givenUp() throws {
        var places = try self.silent()
        #expect(places.failed(self.pod, now: self.start) == 1)
        #expect(places.spoke(1, to: self.pod) == nil)
        #expect(try self.wants(&places, "one") == .wait)
        #expect(try self.wants(&places, "one", after: Places.pause) == .dial)
        #expect(places.failed(self.pod, now: self.start) == nil, "once")
    }

    @Test("A silent link over which nobody has a way is given up at once, and a spare one is nobody's concern")
    func unused() throws {
        var places = try self.open()
        #expect(places.fellSilent(2, to: self.pod, ways: [:]) == .nothing)
        #expect(places.fellSilent(1, to: self.pod, ways: [:]) == .giveUp)
        #expect(try self.wants(&places, "one") == .dial)
    }

    @Test("A link that ends is no place any more; while another one is dialled tunnels wait on")
    func ended() throws {
        var places = try self.silent()
        places.closing(2, to: self.pod)
        places.closing(1, to: self.pod)
        let (ways, givenUp) = places.opened(3, to: self.pod)
        #expect(ways == ["one"] && givenUp == nil)
        places.closing(1, to: self.pod)
        #expect(try self.wants(&places, "two") == .give(3))
        places.closing(3, to: self.pod)
        #expect(try self.wants(&places, "two") == .dial)
    }

    @Test("A bounded number of tunnels waits for a link")
    func bound() throws {
        var places = Places()
        for number in 0...Places.mostWaiting { _ = try self.wants(&places, "tunnel-\(number)") }
        #expect(places.opened(1, to: self.pod).ways.count == Places.mostWaiting)
    }
}
