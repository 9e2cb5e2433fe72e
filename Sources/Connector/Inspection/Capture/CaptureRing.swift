// SPDX-License-Identifier: Apache-2.0

import DequeModule
import Foundation
import NIOCore
import Synchronization

/// The latest exchanges of all tunnels of the program, bounded by bytes and number.
///
/// An exchange takes its lock twice, at its beginning and end; a piece of a body costs an atomic addition.
package final class CaptureRing: Sendable {
    /// What is kept at most.
    package let budget: CaptureBudget
    /// Turns moments into dates.
    package let clock: CaptureClock
    /// Bounds how many WebSockets are decompressed.
    package let inflaters = InflaterQuota()
    private let used = Atomic<Int>(0)
    private let connections = Atomic<UInt64>(0)
    private let watchers = Atomic<Int>(0)
    private let state = Mutex(State())

    private struct State {
        var all: [CaptureID: ExchangeCapture] = [:]
        /// In the order in which they ended.
        var finished: Deque<ExchangeCapture> = []
        /// In the order in which they began; those that have ended since are dropped from time to time.
        var open: Deque<ExchangeCapture> = []
        var lastID: UInt64 = 0
        var total: UInt64 = 0
        var feeds: [(key: Int, pending: ChangeFeed.Pending)] = []
        var nextFeed = 0

        mutating func note(_ id: CaptureID) {
            // By index: to iterate over a copy would copy the sets.
            for index in self.feeds.indices { self.feeds[index].pending.note(id) }
        }
    }

    /// Makes an empty ring.
    ///
    /// - Parameters:
    ///   - budget: What is kept at most.
    ///   - clock: Turns moments into dates.
    package init(budget: CaptureBudget = CaptureBudget(), clock: CaptureClock? = nil) {
        self.budget = budget
        self.clock = clock ?? CaptureClock(date: Date().timeIntervalSince1970 * 1_000, deadline: .now())
    }

    // MARK: What passes

    /// The number of a new connection.
    package func nextConnection() -> UInt64 {
        self.connections.wrappingAdd(1, ordering: .relaxed).newValue
    }

    /// A request's head has passed.
    ///
    /// - Returns: The exchange to tell of what follows; `nil` if there is no room for it.
    package func begin(
        _ origin: ExchangeOrigin,
        head: [UInt8],
        kind: ExchangeState.Kind = .http,
        at moment: NIODeadline
    ) -> ExchangeCapture? {
        var state = ExchangeState(request: MessageCapture(head: head), began: moment)
        state.kind = kind
        return self.insert(origin, state: state, isImported: false)
    }

    /// Adds an exchange that is over, from an archive.
    package func add(_ origin: ExchangeOrigin, state: ExchangeState) -> ExchangeCapture? {
        guard let exchange = self.insert(origin, state: state, isImported: true) else { return nil }
        self.finished(exchange)
        return exchange
    }

    private func insert(
        _ origin: ExchangeOrigin,
        state exchangeState: ExchangeState,
        isImported: Bool
    ) -> ExchangeCapture? {
        let hasRoom = self.reserve(exchangeState.counted)
        let date = UInt64(max(0, self.clock.milliseconds(.now())))
        let exchange = self.state.withLock { state -> ExchangeCapture? in
            state.total += 1
            guard hasRoom else { return nil }
            while state.all.count >= self.budget.exchanges {
                guard self.dropFinished(&state) else { return nil }
            }
            state.lastID = max(state.lastID + 1, date << 20)
            let exchange = ExchangeCapture(
                id: CaptureID(state.lastID),
                origin: origin,
                isImported: isImported,
                state: exchangeState,
                ring: self
            )
            state.all[exchange.id] = exchange
            state.open.append(exchange)
            state.note(exchange.id)
            // Those that ended are dropped when they are more than half.
            let openCount = state.all.count - state.finished.count
            if state.open.count > 2 * openCount + 64 {
                state.open = state.open.filter { !$0.isOver }
            }
            return exchange
        }
        if exchange == nil, hasRoom { self.release(exchangeState.counted) }
        return exchange
    }

    func finished(_ exchange: ExchangeCapture) {
        self.state.withLock { state in
            // It may have been removed while it was open.
            guard state.all[exchange.id] != nil else { return }
            state.finished.append(exchange)
            state.note(exchange.id)
        }
    }

    /// An open exchange has changed.
    func changed(_ id: CaptureID) {
        guard self.watchers.load(ordering: .relaxed) > 0 else { return }
        self.state.withLock { $0.note(id) }
    }

    // MARK: The budget

    /// How many bytes are counted.
    package var usedBytes: Int { self.used.load(ordering: .relaxed) }

    /// Takes bytes of the budget; what is oldest makes room: first exchanges that are over, then bodies of open ones.
    ///
    /// - Returns: Whether there is room.
    func reserve(_ bytes: Int) -> Bool {
        guard bytes > 0 else { return true }
        while true {
            let used = self.used.load(ordering: .relaxed)
            if used + bytes <= self.budget.bytes {
                if self.used.weakCompareExchange(expected: used, desired: used + bytes, ordering: .relaxed).exchanged {
                    return true
                }
                continue
            }
            guard bytes <= self.budget.bytes, self.state.withLock({ self.makeRoom(&$0) }) else { return false }
        }
    }

    func release(_ bytes: Int) {
        guard bytes != 0 else { return }
        self.used.subtract(bytes, ordering: .relaxed)
    }

    private func makeRoom(_ state: inout State) -> Bool {
        if self.dropFinished(&state) { return true }
        while let exchange = state.open.popFirst() {
            guard state.all[exchange.id] != nil else { continue }
            let freed = exchange.shed()
            self.release(freed)
            if freed > 0 {
                state.note(exchange.id)
                return true
            }
        }
        return false
    }

    private func dropFinished(_ state: inout State) -> Bool {
        while let exchange = state.finished.popFirst() {
            guard state.all.removeValue(forKey: exchange.id) != nil else { continue }
            self.release(exchange.leave())
            state.note(exchange.id)
            return true
        }
        return false
    }

    // MARK: Looking

    /// How many exchanges there are, how many there were since the start, and the oldest.
    package var counts: (kept: Int, total: UInt64, oldest: CaptureID?) {
        self.state.withLock { ($0.all.count, $0.total, $0.all.keys.min()) }
    }

    /// The exchanges, youngest first.
    package var exchanges: [ExchangeCapture] { self.unordered.sorted { $0.id > $1.id } }

    /// The exchanges in any order, for who looks at all of them.
    package var unordered: [ExchangeCapture] { self.state.withLock { Array($0.all.values) } }

    /// One exchange.
    package func exchange(_ id: CaptureID) -> ExchangeCapture? {
        self.state.withLock { $0.all[id] }
    }

    /// Removes one exchange; what still passes of it is not kept.
    package func remove(_ id: CaptureID) -> Bool {
        self.state.withLock { state in
            guard let exchange = state.all.removeValue(forKey: id) else { return false }
            self.release(exchange.leave())
            state.finished.removeAll { $0.id == id }
            state.open.removeAll { $0.id == id }
            state.note(id)
            return true
        }
    }

    /// Removes all exchanges.
    package func clear() {
        self.state.withLock { state in
            for exchange in state.all.values { self.release(exchange.leave()) }
            state.all = [:]
            state.finished = []
            state.open = []
            for index in state.feeds.indices { state.feeds[index].pending.reset() }
        }
    }

    // MARK: Watching

    /// Begins to collect changes for a reader.
    package func watch() -> ChangeFeed {
        self.watchers.add(1, ordering: .relaxed)
        let key = self.state.withLock { state in
            state.nextFeed += 1
            state.feeds.append((state.nextFeed, ChangeFeed.Pending()))
            return state.nextFeed
        }
        return ChangeFeed(ring: self, key: key)
    }

    func take(_ key: Int) -> ChangeFeed.Changes {
        self.state.withLock { state in
            guard let index = state.feeds.firstIndex(where: { $0.key == key }) else { return ChangeFeed.Changes() }
            var pending = state.feeds[index].pending
            state.feeds[index].pending = ChangeFeed.Pending()
            var changes = ChangeFeed.Changes(isReset: pending.isReset)
            for id in pending.takeIDs() {
                if let exchange = state.all[id] { changes.changed.append(exchange) } else { changes.removed.append(id) }
            }
            return changes
        }
    }

    func stopWatching(_ key: Int) {
        self.watchers.subtract(1, ordering: .relaxed)
        self.state.withLock { $0.feeds.removeAll { $0.key == key } }
    }
}
