// SPDX-License-Identifier: Apache-2.0
import Foundation
import NIOCore
import Protocol
import Testing

@testable import Mux

/// Two cores over ordered pipes with random scheduling and random behaviour of both applications: no conforming peer
/// may ever see a violation, no byte may be lost, and at the end nothing may be left (docs/protocol.md §C.1, §C.2 P1).
@Suite("Model of two sessions")
struct ModelTests {
    /// How many schedules one run drives: few enough for every change, or those of the long tier.
    static let schedules =
        ProcessInfo.processInfo.environment["CULVERT_MODEL_SCHEDULES"].flatMap(Int.init)
        ?? (ProcessInfo.processInfo.environment["CULVERT_LONG"] == "1" ? 10_000 : 200)
    static let seed = ProcessInfo.processInfo.environment["CULVERT_MODEL_SEED"].flatMap(UInt64.init) ?? 1

    @Test(
        "random schedules keep the invariants and end with nothing left, also where connections break",
        arguments: [false, true]
    )
    func schedules(hasCuts: Bool) throws {
        print("model: \(Self.schedules) schedules from seed \(Self.seed)\(hasCuts ? ", with cuts" : "")")
        var totals = ModelRun.Totals()
        for index in 0..<Self.schedules {
            let seed = Self.seed &+ UInt64(index)
            var run = ModelRun(seed: seed, hasCuts: hasCuts)
            do {
                totals.add(try run.drive())
            } catch {
                Issue.record("seed \(seed): \(error)")
                return
            }
        }
        print("model: \(totals)")
        #expect(totals.opened > Self.schedules)
        #expect(totals.delivered > Self.schedules)
        #expect(totals.resets > 0)
        #expect(totals.rejects > 0)
        #expect((totals.cuts > Self.schedules / 2) == hasCuts)
        #expect((totals.repeated > Self.schedules / 2) == hasCuts)
    }

    @Test("the model fails where a rule is broken", arguments: ModelRun.Mutation.allCases)
    func mutations(mutation: ModelRun.Mutation) {
        for index in 0..<400 {
            var run = ModelRun(seed: Self.seed &+ UInt64(index), hasCuts: mutation.isOfCuts, mutation: mutation)
            do {
                _ = try run.drive()
            } catch {
                print("model: \(mutation) noticed after \(index + 1) schedules: \(error)")
                return
            }
        }
        Issue.record("\(mutation) went unnoticed in 400 schedules")
    }
}
