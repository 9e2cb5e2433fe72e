// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Synchronization

/// The inboxes of an edge: which there are, and which have something to do.
///
/// Every member may be used from any thread.
package final class InboxDesk: Sendable {
    /// Why an inbox was not made.
    package enum Refusal: Error, Equatable, Sendable {
        /// The owner has as many as it may have.
        case tooMany(limit: Int)
        /// The store failed; nothing was changed.
        case unavailable
    }

    private struct State {
        var records: [TunnelID: InboxRecord] = [:]
        /// Those that have something to do, and whether a session is the reason.
        var awake: [TunnelID: Bool] = [:]
    }

    /// What keeps messages.
    package let store: any InboxStore
    package let recorder: any InboxRecorder
    private let perOwner: Int
    private let state = Mutex(State())
    private let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation

    /// Makes a desk without inboxes.
    ///
    /// - Parameters:
    ///   - store: What keeps messages.
    ///   - perOwner: The most inboxes of one owner.
    ///   - recorder: Counts.
    package init(store: any InboxStore, perOwner: Int = 10, recorder: any InboxRecorder) {
        self.store = store
        self.perOwner = perOwner
        self.recorder = recorder
        // That something has to be done is told once; what, is in the set.
        (self.signals, self.signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Reads which inboxes there are, for an edge that begins.
    package func load() async throws -> [InboxRecord] {
        let records = try await self.store.inboxes()
        self.state.withLock { state in
            state.records = [:]
            for record in records {
                if let id = TunnelID(record.tunnelID) { state.records[id] = record }
            }
        }
        return records
    }

    /// Takes up what became of an inbox at another edge.
    ///
    /// - Returns: The inbox; `nil` if there is none any more.
    package func look(at id: TunnelID) async throws -> InboxRecord? {
        let record = try await self.store.inbox(id)
        self.state.withLock { $0.records[id] = record }
        return record
    }

    /// The inbox of a tunnel that is made now; `nil` if it has none, or another owner has.
    package func inbox(of id: TunnelID, owner: String) -> TunnelInbox? {
        guard let record = self.record(id), record.owner == owner else { return nil }
        return self.inbox(record, of: id)
    }

    /// What is known of the inbox of a tunnel.
    package func record(_ id: TunnelID) -> InboxRecord? { self.state.withLock { $0.records[id] } }

    /// Every inbox.
    package var records: [InboxRecord] { self.state.withLock { Array($0.records.values) } }

    /// The inbox that a record describes.
    package func inbox(_ record: InboxRecord, of id: TunnelID) -> TunnelInbox {
        TunnelInbox(id, record.settings, desk: self)
    }

    /// Makes an inbox, or changes one; one of another owner goes first, with all that is in it.
    ///
    /// - Throws: ``Refusal``.
    package func set(_ record: InboxRecord, of id: TunnelID) async throws -> TunnelInbox {
        let old = self.record(id)
        if old?.owner != record.owner {
            let count = self.state.withLock { $0.records.values.count { $0.owner == record.owner } }
            guard count < self.perOwner else { throw Refusal.tooMany(limit: self.perOwner) }
            if old != nil { try await self.remove(id) }
        }
        try await self.asking { try await self.store.put(record) }
        self.state.withLock { $0.records[id] = record }
        return self.inbox(record, of: id)
    }

    /// Removes an inbox with all that is in it.
    ///
    /// - Throws: ``Refusal/unavailable``.
    package func remove(_ id: TunnelID) async throws {
        guard self.record(id) != nil else { return }
        try await self.asking { try await self.store.remove(id) }
        self.state.withLock { $0.records[id] = nil }
    }

    /// Has the store do something.
    ///
    /// - Throws: ``Refusal/unavailable``.
    package func asking<Answer: Sendable>(_ question: () async throws -> Answer) async throws -> Answer {
        do {
            return try await question()
        } catch {
            self.recorder.storeFailed("\(error)")
            throw Refusal.unavailable
        }
    }

    // MARK: What has to be done

    /// An inbox has something to do, or somebody has come who may take it.
    package func wake(_ id: TunnelID, hasSession: Bool = false) {
        let isFirst = self.state.withLock { state in
            let before = state.awake[id]
            state.awake[id] = before ?? false || hasSession
            return before == nil
        }
        if isFirst { self.signal.yield() }
    }

    /// The inboxes that have something to do, each time that there are some; for one who asks.
    package func work(
        isolation: isolated (any Actor)? = #isolation,
        _ begin: (_ id: TunnelID, _ hasSession: Bool) async -> Void
    ) async {
        for await _ in self.signals {
            let awake = self.state.withLock { state in
                defer { state.awake = [:] }
                return state.awake
            }
            for (id, hasSession) in awake { await begin(id, hasSession) }
        }
    }
}
