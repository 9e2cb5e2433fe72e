// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import EdgeProxy
@testable import EdgeTunnels

@Suite("Idle origin connections")
struct IdleStreamsTests {
    private final class Item {}

    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    @Test("The one that has waited the shortest is taken first")
    func order() {
        var idle = IdleStreams<Item>()
        let (one, two) = (Item(), Item())
        _ = idle.park(one, now: self.start)
        _ = idle.park(two, now: self.start + .seconds(1))
        #expect(idle.take(now: self.start + .seconds(2)) === two)
        #expect(idle.take(now: self.start + .seconds(2)) === one)
        #expect(idle.take(now: self.start + .seconds(2)) == nil)
    }

    @Test("One that has waited four seconds is not taken, and goes")
    func age() {
        var idle = IdleStreams<Item>()
        let (one, two) = (Item(), Item())
        _ = idle.park(one, now: self.start)
        _ = idle.park(two, now: self.start + .seconds(3))
        let expired = idle.expire(now: self.start + .seconds(4))
        #expect(expired.count == 1 && expired.first === one)
        #expect(idle.take(now: self.start + .seconds(7)) == nil)
        #expect(idle.take(now: self.start + .nanoseconds(6_999_999_999)) === two)
    }

    @Test("Beyond the limit the one that has waited longest goes")
    func limit() {
        var idle = IdleStreams<Item>(maximumCount: 2)
        let items = [Item(), Item(), Item()]
        #expect(idle.park(items[0], now: self.start) == nil)
        #expect(idle.park(items[1], now: self.start) == nil)
        #expect(idle.park(items[2], now: self.start) === items[0])
        #expect(idle.count == 2)
    }

    @Test("The one that has waited the longest makes room for another stream")
    func oldest() {
        var idle = IdleStreams<Item>()
        let (one, two) = (Item(), Item())
        _ = idle.park(one, now: self.start)
        _ = idle.park(two, now: self.start)
        #expect(idle.takeOldest() === one)
        #expect(idle.take(now: self.start) === two)
        #expect(idle.takeOldest() == nil)
    }

    @Test("One that ended is not there any more")
    func removal() {
        var idle = IdleStreams<Item>()
        let (one, two) = (Item(), Item())
        _ = idle.park(one, now: self.start)
        _ = idle.park(two, now: self.start)
        idle.remove { $0 === two }
        #expect(idle.take(now: self.start) === one)
        #expect(idle.removeAll().isEmpty)
    }
}
