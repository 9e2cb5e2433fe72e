// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import Connector

@Suite("Signals that ask a program to leave")
struct LeaveRuleTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    @Test("The first drains, a second one ends at once, and one within a tenth of a second is the first again")
    func second() {
        var rule = LeaveRule()
        #expect(rule.take(isHangUp: false, now: Self.start) == .drain)
        for milliseconds in [0, 1, 99] as [Int64] {
            #expect(rule.take(isHangUp: false, now: Self.start + .milliseconds(milliseconds)) == .nothing)
        }
        #expect(rule.take(isHangUp: false, now: Self.start + .milliseconds(100)) == .endAtOnce)
    }

    @Test("A terminal that closes says so twice, and never ends a run that leaves")
    func hangUp() {
        var rule = LeaveRule()
        #expect(rule.take(isHangUp: true, now: Self.start) == .drain)
        #expect(rule.take(isHangUp: true, now: Self.start + .seconds(5)) == .nothing)
        #expect(rule.take(isHangUp: false, now: Self.start + .seconds(6)) == .endAtOnce)
    }
}
