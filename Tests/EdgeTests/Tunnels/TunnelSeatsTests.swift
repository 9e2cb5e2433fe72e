// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import Edge
@testable import EdgeTunnels

@Suite("Seats in a shared session")
struct TunnelSeatsTests {
    private typealias Seats = TunnelSeats<Int, String, String>

    /// A key that counts how often it is looked at.
    private struct Counted: Hashable, Comparable {
        final class Visits {
            var count = 0
        }

        let value: Int
        let visits: Visits

        static func == (one: Counted, other: Counted) -> Bool {
            one.visits.count += 1
            return one.value == other.value
        }

        static func < (one: Counted, other: Counted) -> Bool {
            one.visits.count += 1
            return one.value < other.value
        }

        func hash(into hasher: inout Hasher) {
            self.visits.count += 1
            hasher.combine(self.value)
        }
    }

    /// How often keys are looked at while so many tunnels join one session, have a request refused, and leave.
    private func visits(tunnels: Int) -> Int {
        let visits = Counted.Visits()
        var seats = TunnelSeats<Counted, Counted, Int>()
        func key(_ value: Int) -> Counted { Counted(value: value, visits: visits) }
        for number in 0..<tunnels {
            seats.asked()
            seats.decided()
            #expect(!seats.isOutdone(key(number), of: key(number + 1_000_000)))
            seats.add(number, number: key(number), of: key(number + 1_000_000))
        }
        #expect(seats.count == tunnels)
        for number in 0..<tunnels {
            #expect(seats[key(number)] == number)
            #expect(seats.earlier(than: key(number), of: key(number + 1_000_000)).isEmpty)
            #expect(seats.remove(key(number)) == number)
        }
        #expect(seats.count == 0)
        return visits.count
    }

    @Test("2 048 tunnels join one session and leave it in steps whose number does not depend on how many there are")
    func linear() {
        let few = self.visits(tunnels: 128)
        let many = self.visits(tunnels: EdgeSessions.maximumTunnels)
        // A scan of all seats in any step would make it a hundred times as many.
        #expect(many < EdgeSessions.maximumTunnels * 64)
        #expect(many < few * 16 * 2)
    }

    @Test("A word is outdone by a later one about the same tunnel, and by no other")
    func outdone() {
        var seats = Seats()
        seats.add("second", number: 2, of: "my-app")
        seats.add("third", number: 3, of: "other-app")
        #expect(seats.isOutdone(1, of: "my-app"))
        #expect(!seats.isOutdone(4, of: "my-app"))
        #expect(!seats.isOutdone(1, of: "third-app"))
        #expect(seats.remove(2) == "second")
        #expect(!seats.isOutdone(1, of: "my-app"))
    }

    @Test("A tunnel's seats are found by their age, until they are given up")
    func ages() {
        var seats = Seats()
        for number in 1...4 { seats.add("seat \(number)", number: number, of: "my-app") }
        #expect(seats.earlier(than: 3, of: "my-app") == ["seat 1", "seat 2"])
        #expect(seats.remove(1) == "seat 1")
        #expect(seats.remove(1) == nil)
        #expect(seats.earlier(than: 3, of: "my-app") == ["seat 2"])
        #expect(seats[2] == "seat 2")
        #expect(seats[1] == nil)
        #expect(Set(seats.all) == ["seat 2", "seat 3", "seat 4"])
    }

    @Test("A session is abandoned when for ten seconds nobody has had a seat or asked for one")
    func abandoned() {
        let start = NIODeadline.uptimeNanoseconds(1)
        var seats = Seats()
        var answers: [Bool] = []
        func ask(_ seconds: Int64) { answers.append(seats.isAbandoned(now: start + .seconds(seconds))) }
        ask(0)
        ask(9)
        seats.asked()
        ask(10)
        seats.decided()
        ask(11)
        ask(20)
        seats.add("seat", number: 1, of: "my-app")
        ask(30)
        _ = seats.remove(1)
        ask(40)
        #expect(answers == [false, false, false, false, false, false, false])
        ask(50)
        #expect(answers.last == true)
    }
}
