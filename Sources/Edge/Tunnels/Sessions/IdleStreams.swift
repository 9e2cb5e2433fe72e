// SPDX-License-Identifier: Apache-2.0
import DequeModule
import NIOCore

/// Origin connections that wait for their next request, the latest used first.
///
/// They wait less than the 5 s after which common servers close an idle connection, so that a request seldom meets one
/// that is being closed.
struct IdleStreams<Element> {
    private typealias Waiting = (element: Element, since: NIODeadline)

    /// The one that was used last, mostly the only one; those before it are in ``others``.
    private var latest: Waiting?
    private var others: Deque<Waiting> = []
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

    var count: Int { self.latest == nil ? 0 : 1 + self.others.count }

    /// Takes the element that has waited the shortest.
    mutating func take(now: NIODeadline) -> Element? {
        guard let latest, now - latest.since < self.maximumAge else { return nil }
        self.latest = self.others.isEmpty ? nil : self.others.removeLast()
        return latest.element
    }

    /// Lets an element wait; returns one that has to go for it.
    mutating func park(_ element: Element, now: NIODeadline) -> Element? {
        if let latest { self.others.append(latest) }
        self.latest = (element, now)
        return self.count > self.maximumCount ? self.takeOldest() : nil
    }

    /// Takes the element that has waited the longest.
    mutating func takeOldest() -> Element? {
        if !self.others.isEmpty { return self.others.removeFirst().element }
        defer { self.latest = nil }
        return self.latest?.element
    }

    /// Takes an element out wherever it waits.
    mutating func remove(where isIt: (Element) -> Bool) {
        if let latest, isIt(latest.element) {
            self.latest = self.others.isEmpty ? nil : self.others.removeLast()
        } else {
            self.others.removeAll { isIt($0.element) }
        }
    }

    /// Takes those that have waited too long.
    mutating func expire(now: NIODeadline) -> [Element] {
        var expired: [Element] = []
        while let oldest = self.others.first ?? self.latest, now - oldest.since >= self.maximumAge {
            expired.append(oldest.element)
            if self.others.isEmpty { self.latest = nil } else { self.others.removeFirst() }
        }
        return expired
    }

    mutating func removeAll() -> [Element] {
        defer {
            self.latest = nil
            self.others.removeAll()
        }
        return (self.others + (self.latest.map { [$0] } ?? [])).map(\.element)
    }
}
