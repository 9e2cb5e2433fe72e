// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import EdgeTunnels

@Suite("Elements in the order of their arrival")
struct ArrivalSlotsTests {
    @Test("Lines hold what a list of their elements would, whatever is added, taken out and put back, by 20 seeds")
    func model() {
        for seed in UInt64(1)...20 {
            var random = Steps(seed: seed)
            var slots = ArrivalSlots<Int>()
            var lines = [ArrivalSlots<Int>.Line(), ArrivalSlots<Int>.Line()]
            var model: [[(place: ArrivalSlots<Int>.Place, element: Int)]] = [[], []]
            var gone: [ArrivalSlots<Int>.Place] = []
            for step in 0..<2_000 {
                let line = Int(random.next() % 2)
                let pick = model[line].isEmpty ? nil : Int(random.next() % UInt64(model[line].count))
                switch (random.next() % 4, pick) {
                case (0, let pick?):
                    let (place, element) = model[line].remove(at: pick)
                    #expect(slots.remove(place, from: &lines[line]) == element)
                    gone.append(place)
                case (1, let pick?):
                    let moved = model[line].remove(at: pick)
                    model[line].append(moved)
                    slots.moveToEnd(moved.place, of: &lines[line])
                default:
                    let (place, element) = slots.append(to: &lines[line]) { _ in step }
                    model[line].append((place, element))
                }
                for line in 0..<2 {
                    #expect(lines[line].count == model[line].count, "seed \(seed)")
                    #expect(slots.first(of: lines[line]) == model[line].first?.place, "seed \(seed)")
                }
            }
            for place in gone { #expect(slots[place] == nil, "a slot that somebody else has now, seed \(seed)") }
            for line in 0..<2 {
                for (place, element) in model[line] {
                    #expect(slots.first(of: lines[line]) == place, "seed \(seed)")
                    #expect(slots.remove(place, from: &lines[line]) == element)
                }
            }
        }
    }
}

/// The same steps for the same seed.
private struct Steps {
    var state: UInt64

    init(seed: UInt64) { self.state = seed &* 0x9E37_79B9_7F4A_7C15 }

    mutating func next() -> UInt64 {
        self.state = self.state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return self.state >> 33
    }
}
