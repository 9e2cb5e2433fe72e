// SPDX-License-Identifier: Apache-2.0

import DequeModule
import NIOCore
import Synchronization

/// What a ring has: the exchanges, what they count, and what has changed of them.
///
/// Exchanges refer to it and it refers to them, until its ring is gone.
final class CaptureStore: Sendable {
    /// What is kept at most.
    let budget: CaptureBudget
    /// Turns moments into dates.
    let clock: CaptureClock
    /// What is never kept.
    let dropped: DroppedFields
    /// How many bytes are counted at most.
    ///
    /// An eighth of the memory is left for what the allocator can't use: what is kept and dropped in any order leaves holes.
    private let limit: Int
    private let used = Atomic<Int>(0)
    private let watchers = Atomic<Int>(0)
    /// Numbers changes, as long as somebody watches; and how many of them can be seen at their exchanges.
    private let changes = Atomic<UInt64>(0)
    private let settled = Atomic<UInt64>(0)
    /// Numbers what happens beside exchanges that readers want to know.
    private let notices = Atomic<UInt64>(0)
    /// The feeds whose readers wait for a change; and how many they are, which is all that what passes looks at.
    private let waiting = Mutex<[ChangeFeed]>([])
    private let awaited = Atomic<Int>(0)
    private let state = Mutex(State())

    private struct State {
        /// All exchanges, with holes where some have left.
        var all = CaptureList()
        /// In the order in which they ended.
        var finished: Deque<ExchangeCapture> = []
        /// In the order in which they began; those that have ended since are dropped from time to time.
        var open: Deque<ExchangeCapture> = []
        /// Up to which exchange the bodies of open ones have made room.
        var shed = CaptureID(0)
        /// Exchanges that changed after their end, while somebody watched.
        var late: [ExchangeCapture] = []
        var total: UInt64 = 0
        /// What has left, by the number of that change, while somebody watches.
        var removals: Deque<(change: UInt64, id: CaptureID)> = []
        /// Who has seen less than this looks at everything again.
        var forgotten: UInt64 = 0
    }

    init(budget: CaptureBudget, clock: CaptureClock, dropped: DroppedFields) {
        self.budget = budget
        self.limit = budget.bytes - budget.bytes / 8
        self.clock = clock
        self.dropped = dropped
    }

    // MARK: What passes

    /// Adds an exchange; `nil` if there is no room for it.
    ///
    /// - Parameters:
    ///   - bytes: What it counts.
    ///   - moment: When it began, or was added.
    ///   - make: Makes it.
    @inline(__always)
    func insert(_ bytes: Int, at moment: NIODeadline, _ make: (CaptureID) -> ExchangeCapture) -> ExchangeCapture? {
        let hasRoom = self.reserve(bytes)
        let date = UInt64(max(0, self.clock.milliseconds(moment)))
        let exchange = self.state.withLock { state -> ExchangeCapture? in
            state.total += 1
            guard hasRoom else { return nil }
            while state.all.count >= self.budget.exchanges {
                guard self.dropFinished(&state) else { return nil }
            }
            let exchange = make(state.all.nextID(from: date << 20))
            state.all.append(exchange)
            state.open.append(exchange)
            self.noteChange(of: exchange)
            // Those that ended are dropped when they are more than half.
            let openCount = state.all.count - state.finished.count
            if state.open.count > 2 * openCount + 64 { state.open.removeAll { $0.isOver } }
            return exchange
        }
        if exchange == nil, hasRoom { self.release(bytes) }
        return exchange
    }

    func finished(_ exchange: ExchangeCapture) {
        self.state.withLock { state in
            // It may have been removed while it was open.
            guard !exchange.hasLeft else { return }
            state.finished.append(exchange)
            self.noteChange(of: exchange)
        }
    }

    /// An exchange has changed; where nobody watches that costs one look.
    func changed(_ exchange: ExchangeCapture, isOver: Bool) {
        guard self.watchers.load(ordering: .relaxed) > 0 else { return }
        self.noteChange(of: exchange)
        guard isOver else { return }
        self.state.withLock { state in
            guard !exchange.hasLeft, !state.late.contains(where: { $0 === exchange }) else { return }
            if state.late.count == Self.maximumLate { state.late.removeFirst() }
            state.late.append(exchange)
        }
    }

    /// The most exchanges that are watched after their end, whose uploads go on.
    private static let maximumLate = 64

    private func noteChange(of exchange: ExchangeCapture) {
        guard self.watchers.load(ordering: .relaxed) > 0 else { return }
        exchange.change.store(self.nextChange(), ordering: .relaxed)
        self.settled.wrappingAdd(1, ordering: .releasing)
        self.wakeReaders()
    }

    /// Numbers a change.
    ///
    /// A reader that is about to wait sees the number, or is seen by ``wakeReaders()``.
    private func nextChange() -> UInt64 {
        self.changes.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue
    }

    // MARK: The budget

    /// How many bytes are counted.
    var usedBytes: Int { self.used.load(ordering: .relaxed) }

    /// Takes bytes of the budget if they are free.
    func take(_ bytes: Int) -> Bool {
        guard bytes > 0 else { return true }
        var used = self.used.load(ordering: .relaxed)
        while used + bytes <= self.limit {
            let result = self.used.weakCompareExchange(expected: used, desired: used + bytes, ordering: .relaxed)
            if result.exchanged { return true }
            used = result.original
        }
        return false
    }

    /// Takes bytes of the budget; what is oldest makes room: first exchanges that are over, then bodies of open ones.
    ///
    /// - Returns: Whether there is room.
    func reserve(_ bytes: Int) -> Bool {
        while !self.take(bytes) {
            guard bytes <= self.limit, self.state.withLock({ self.makeRoom(&$0) }) else { return false }
        }
        return true
    }

    func release(_ bytes: Int) {
        guard bytes != 0 else { return }
        self.used.subtract(bytes, ordering: .relaxed)
    }

    private func makeRoom(_ state: inout State) -> Bool {
        if self.dropFinished(&state) { return true }
        var index = Self.firstIndex(in: state.open, after: state.shed)
        while index < state.open.count {
            let exchange = state.open[index]
            index += 1
            state.shed = exchange.id
            guard !exchange.hasLeft else { continue }
            let freed = exchange.shed()
            guard freed > 0 else { continue }
            self.release(freed)
            self.noteChange(of: exchange)
            return true
        }
        return false
    }

    /// The place of the first exchange that is younger than an id, in a list that begins with the oldest.
    private static func firstIndex(in list: Deque<ExchangeCapture>, after id: CaptureID) -> Int {
        var (low, high) = (0, list.count)
        while low < high {
            let middle = (low + high) / 2
            if list[middle].id <= id { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func dropFinished(_ state: inout State) -> Bool {
        while var exchange = state.finished.popFirst() {
            guard state.all.remove(exchange.id) else { continue }
            if self.watchers.load(ordering: .relaxed) > 0 { self.noteRemoval(of: exchange, &state) }
            // What nobody else has gives back what it counts by its end, here: to put it in order first would fetch all
            // of it from memory, which no cache has any more.
            if !isKnownUniquelyReferenced(&exchange) { self.release(exchange.leave()) }
            return true
        }
        return false
    }

    private func noteRemoval(of exchange: ExchangeCapture, _ state: inout State) {
        guard self.watchers.load(ordering: .relaxed) > 0 else { return }
        state.late.removeAll { $0 === exchange }
        let change = self.nextChange()
        self.settled.wrappingAdd(1, ordering: .releasing)
        self.wakeReaders()
        state.removals.append((change, exchange.id))
        if state.removals.count > ChangeFeed.maximumRemovals, let first = state.removals.popFirst() {
            state.forgotten = first.change
        }
    }

    // MARK: Looking

    /// How many exchanges there are, how many there were since the start, and the oldest.
    var counts: (kept: Int, total: UInt64, oldest: CaptureID?) {
        self.state.withLock { ($0.all.count, $0.total, $0.all.oldest) }
    }

    /// How many exchanges there are of each tunnel.
    var countsByTunnel: [String: Int] { self.state.withLock { $0.all.countsByTunnel } }

    /// The exchanges, oldest first.
    var exchanges: [ExchangeCapture] { self.state.withLock { $0.all.exchanges } }

    func exchange(_ id: CaptureID) -> ExchangeCapture? {
        self.state.withLock { $0.all.exchange(id) }
    }

    func remove(_ id: CaptureID) -> Bool {
        self.state.withLock { state in
            guard let exchange = state.all.exchange(id), state.all.remove(id) else { return false }
            self.release(exchange.leave())
            state.finished.removeAll { $0 === exchange }
            state.open.removeAll { $0 === exchange }
            self.noteRemoval(of: exchange, &state)
            return true
        }
    }

    func clear() {
        self.state.withLock { state in
            for exchange in state.all.exchanges { self.release(exchange.leave()) }
            state.all.removeAll()
            state.finished = []
            state.open = []
            state.late = []
            state.removals = []
            state.forgotten = self.nextChange()
            self.settled.wrappingAdd(1, ordering: .releasing)
            self.wakeReaders()
        }
    }

    // MARK: Watching

    /// Begins to number changes for one more reader.
    ///
    /// - Returns: The number of the last change before.
    func watch() -> UInt64 {
        self.watchers.add(1, ordering: .relaxed)
        return self.state.withLock { _ in self.changes.load(ordering: .relaxed) }
    }

    func stopWatching() {
        guard self.watchers.subtract(1, ordering: .relaxed).newValue == 0 else { return }
        self.state.withLock { state in
            state.late = []
            state.removals = []
        }
    }

    /// Whether something has changed behind a number.
    func hasChanges(after seen: UInt64) -> Bool { self.changes.load(ordering: .sequentiallyConsistent) > seen }

    /// The number of the last notice.
    var notice: UInt64 { self.notices.load(ordering: .sequentiallyConsistent) }

    /// Something that readers want to know has happened beside the exchanges.
    func notify() {
        self.notices.wrappingAdd(1, ordering: .sequentiallyConsistent)
        self.wakeReaders()
    }

    /// How many readers wait.
    var waitingReaders: Int { self.awaited.load(ordering: .sequentiallyConsistent) }

    /// The reader of a feed waits.
    func await(_ feed: ChangeFeed) {
        self.waiting.withLock { waiting in
            waiting.append(feed)
            self.awaited.store(waiting.count, ordering: .sequentiallyConsistent)
        }
    }

    /// The reader of a feed goes on.
    func awaitNoMore(_ feed: ChangeFeed) {
        self.waiting.withLock { waiting in
            waiting.removeAll { $0 === feed }
            self.awaited.store(waiting.count, ordering: .sequentiallyConsistent)
        }
    }

    /// Wakes all readers that wait; while none does, that costs one look.
    private func wakeReaders() {
        guard self.awaited.load(ordering: .sequentiallyConsistent) > 0 else { return }
        for feed in self.waiting.withLock({ $0 }) { feed.wake() }
    }

    /// What has changed behind a number, which moves on.
    func changes(after seen: inout UInt64) -> ChangeFeed.Changes {
        var found = ChangeFeed.Changes()
        guard self.changes.load(ordering: .relaxed) > seen else { return found }
        self.state.withLock { state in
            // Read in this order: a number between the two may not be seen at its exchange yet.
            let settled = self.settled.load(ordering: .acquiring)
            let last = self.changes.load(ordering: .relaxed)
            let first = seen
            found.isReset = state.forgotten > first
            func isNew(_ exchange: ExchangeCapture) -> Bool { exchange.change.load(ordering: .relaxed) > first }
            for exchange in state.open where isNew(exchange) && !exchange.hasLeft {
                found.changed.append(exchange)
            }
            // The others have ended. Those before the first that is not new changed as long ago, but for the late ones.
            let openCount = found.changed.count
            for exchange in state.finished.reversed() {
                guard isNew(exchange) else { break }
                found.changed.append(exchange)
            }
            for exchange in state.late where isNew(exchange) && !exchange.hasLeft {
                found.changed.append(exchange)
            }
            if found.changed.count > openCount {
                var known: Set<CaptureID> = []
                found.changed.removeAll { !known.insert($0.id).inserted }
            }
            for removal in state.removals.reversed() {
                guard removal.change > first else { break }
                found.removed.append(removal.id)
            }
            // While a change is being noted, the next look begins where this one did, and some are seen twice.
            if settled == last { seen = last }
        }
        return found
    }
}
