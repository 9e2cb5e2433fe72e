// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import Synchronization

/// The latest exchanges of all tunnels of the program, bounded by bytes and number.
///
/// An exchange takes its lock twice, at its beginning and end; a piece of a body costs an atomic addition.
package final class CaptureRing: Sendable {
    /// Bounds how many WebSockets are decompressed.
    package let inflaters = InflaterQuota()
    private let connections = Atomic<UInt64>(0)
    private let store: CaptureStore

    /// Makes an empty ring.
    ///
    /// - Parameters:
    ///   - budget: What is kept at most.
    ///   - clock: Turns moments into dates.
    ///   - dropped: The fields that are not kept.
    package init(
        budget: CaptureBudget = CaptureBudget(),
        clock: CaptureClock? = nil,
        dropped: DroppedFields = DroppedFields([])
    ) {
        let clock = clock ?? CaptureClock(date: Date().timeIntervalSince1970 * 1_000, deadline: .now())
        self.store = CaptureStore(budget: budget, clock: clock, dropped: dropped)
    }

    deinit {
        self.store.clear()
    }

    /// What is kept at most.
    package var budget: CaptureBudget { self.store.budget }

    /// Turns moments into dates.
    package var clock: CaptureClock { self.store.clock }

    // MARK: What passes

    /// The number of a new connection.
    package func nextConnection() -> UInt64 {
        self.connections.wrappingAdd(1, ordering: .relaxed).newValue
    }

    /// A request's head has passed.
    ///
    /// - Parameters:
    ///   - origin: Where it comes from.
    ///   - head: The head, byte for byte.
    ///   - kind: What it is as far as is known.
    ///   - hasBody: Whether more of it follows.
    ///   - moment: When it passed.
    /// - Returns: The exchange to tell of what follows; `nil` if there is no room for it.
    package func begin(
        _ origin: ExchangeOrigin,
        head: [UInt8],
        kind: ExchangeState.Kind = .http,
        hasBody: Bool = true,
        at moment: NIODeadline
    ) -> ExchangeCapture? {
        var head = head
        let dropped = self.store.dropped.isEmpty ? [] : self.store.dropped.remove(from: &head)
        let bytes = CaptureBudget.exchangeBytes + head.count
        return self.store.insert(bytes, at: moment) { id in
            ExchangeCapture(
                id: id,
                origin: origin,
                head: head,
                dropped: dropped,
                kind: kind,
                end: hasBody ? nil : moment,
                began: moment,
                store: self.store
            )
        }
    }

    /// Adds an exchange that is over, from an archive.
    package func add(_ origin: ExchangeOrigin, state: ExchangeState) -> ExchangeCapture? {
        var state = state
        if !self.store.dropped.isEmpty { state.drop(self.store.dropped) }
        let inserted = self.store.insert(state.counted, at: .now()) { id in
            ExchangeCapture(id: id, origin: origin, isImported: true, state: state, store: self.store)
        }
        if let inserted { self.store.finished(inserted) }
        return inserted
    }

    // MARK: Looking

    /// How many bytes are counted.
    package var usedBytes: Int { self.store.usedBytes }

    /// How many exchanges there are, how many there were since the start, and the oldest.
    package var counts: (kept: Int, total: UInt64, oldest: CaptureID?) { self.store.counts }

    /// How many exchanges there are of each tunnel.
    package var countsByTunnel: [String: Int] { self.store.countsByTunnel }

    /// The exchanges, youngest first.
    package var exchanges: [ExchangeCapture] { self.store.exchanges.reversed() }

    /// One exchange.
    package func exchange(_ id: CaptureID) -> ExchangeCapture? { self.store.exchange(id) }

    /// Removes one exchange; what still passes of it is not kept.
    package func remove(_ id: CaptureID) -> Bool { self.store.remove(id) }

    /// Removes all exchanges.
    package func clear() { self.store.clear() }

    /// Something beside the exchanges has changed that readers want to know: those that wait go on.
    package func notify() { self.store.notify() }

    /// How many readers wait for a change.
    var waitingReaders: Int { self.store.waitingReaders }

    /// Begins to collect changes for a reader.
    package func watch() -> ChangeFeed { ChangeFeed(self.store) }
}
