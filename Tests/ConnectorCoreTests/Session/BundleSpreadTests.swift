// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ConnectorCore

@Suite("Which sessions of a bundle are opened anew, so that they are at different edges")
struct BundleSpreadTests {
    @Test("The later of two sessions at one edge moves where there is an edge without any, three times at most")
    func later() {
        var rules = SpreadRules()
        let first = rules.arrived(0, at: "a", of: 3)
        #expect(!rules.shouldMove(0, number: first))
        for _ in 0..<SpreadRules.mostMoves {
            let number = rules.arrived(1, at: "a", of: 3)
            #expect(rules.shouldMove(1, number: number))
            #expect(!rules.shouldMove(0, number: first))
            rules.moves(1)
            #expect(!rules.shouldMove(1, number: number))
        }
        let last = rules.arrived(1, at: "a", of: 3)
        #expect(!rules.shouldMove(1, number: last))
    }

    @Test("Edges that have come or gone, and a session that was somewhere else meanwhile, allow further moves")
    func again() {
        for changes in [true, false] {
            var rules = SpreadRules()
            _ = rules.arrived(0, at: "a", of: 2)
            for _ in 0..<SpreadRules.mostMoves {
                _ = rules.arrived(1, at: "a", of: 2)
                rules.moves(1)
            }
            if !changes { _ = rules.arrived(1, at: "b", of: 2) }
            let number = rules.arrived(1, at: "a", of: changes ? 3 : 2)
            #expect(rules.shouldMove(1, number: number))
        }
    }

    @Test("Nothing moves at one edge, at edges that don't say who they are, or where each has a session already")
    func nowhere() {
        for (pod, pods) in [("a", UInt16(1)), ("a", nil), (nil, 3), (nil, nil)] as [(String?, UInt16?)] {
            var rules = SpreadRules()
            _ = rules.arrived(0, at: pod, of: pods)
            let number = rules.arrived(1, at: pod, of: pods)
            #expect(!rules.shouldMove(1, number: number))
        }
        var rules = SpreadRules()
        _ = rules.arrived(0, at: "a", of: 2)
        _ = rules.arrived(1, at: "b", of: 2)
        let third = rules.arrived(2, at: "b", of: 2)
        #expect(!rules.shouldMove(2, number: third))
    }

    @Test("A session that has left, or has a successor, does not move, and keeps no other one from staying")
    func left() {
        var rules = SpreadRules()
        let first = rules.arrived(0, at: "a", of: 2)
        let second = rules.arrived(1, at: "a", of: 2)
        rules.left(0, number: first)
        #expect(!rules.shouldMove(1, number: second))
        let third = rules.arrived(0, at: "a", of: 2)
        #expect(rules.shouldMove(0, number: third))
        // The end of the first one says nothing of its successor.
        rules.left(0, number: first)
        #expect(rules.shouldMove(0, number: third))
        _ = rules.arrived(0, at: "b", of: 2)
        #expect(!rules.shouldMove(0, number: third))
    }
}
