// SPDX-License-Identifier: Apache-2.0
import DequeModule
import NIOCore

/// Origin connections that wait for their next request, the latest used first.
///
/// They wait less than the 5 s after which common servers close an idle connection, so that a request seldom meets one
/// that is being closed.
struct IdleStreams<Element: AnyObject> {
    private var waiting: Deque<(element: Element, since: NIODeadline)> = []
    private let maximumAge: TimeAmount
    private let maximumCount: Int

    /// - Parameters:
    ///   - maximumAge: How long an element waits.
    ///   - maximumCount: How many elements wait at most: as many as a session has streams, since a thousand visitors
    ///     often have their answers in the same moment, and ask again in the next.
    init(maximumAge: TimeAmount = .seconds(4), maximumCount: Int = 1_024) {
        self.maximumAge = maximumAge
        self.maximumCount = maximumCount
    }

    var count: Int { self.waiting.count }

    /// Takes the element that has waited the shortest.
    mutating func take(now: NIODeadline) -> Element? {
        guard let last = self.waiting.last, now - last.since < self.maximumAge else { return nil }
        self.waiting.removeLast()
        return last.element
    }

    /// Lets an element wait; returns one that has to go for it.
    mutating func park(_ element: Element, now: NIODeadline) -> Element? {
        self.waiting.append((element, now))
        return self.waiting.count > self.maximumCount ? self.waiting.popFirst()?.element : nil
    }

    /// Takes the element that has waited the longest.
    mutating func takeOldest() -> Element? { self.waiting.popFirst()?.element }

    mutating func remove(_ element: Element) {
        self.waiting.removeAll { $0.element === element }
    }

    /// Takes those that have waited too long.
    mutating func expire(now: NIODeadline) -> [Element] {
        var expired: [Element] = []
        while let first = self.waiting.first, now - first.since >= self.maximumAge {
            expired.append(first.element)
            self.waiting.removeFirst()
        }
        return expired
    }

    mutating func removeAll() -> [Element] {
        defer { self.waiting.removeAll() }
        return self.waiting.map(\.element)
    }
}
