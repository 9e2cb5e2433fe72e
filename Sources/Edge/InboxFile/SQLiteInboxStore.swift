// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeInbox
import GRDB

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Keeps inboxes in one SQLite file, for one edge.
///
/// A write-ahead log with `synchronous=FULL`: what was said to be kept survives the loss of power. Messages that come while
/// a transaction is under way share the next one. Heads, bodies and settings are sealed; sizes, times and states are not.
package actor SQLiteInboxStore: InboxStore {
    /// What bounds the file.
    package struct Bounds: Sendable {
        /// The most bytes that the file takes; the write-ahead log comes on top, a few megabytes.
        package var fileBytes = 1 << 30
        /// The most messages in a transaction.
        package var batch = 64
        /// The most bytes in a transaction, but for a message that is larger.
        package var batchBytes = 1 << 20
        /// How much of the disk is left free: what is handed over, and what goes, has to be written, too.
        package var reserveBytes = 12 << 20

        /// Makes the bounds that there are by default.
        package init() {}
    }

    private struct Arrival {
        let row: MessageRow
        let tunnel: TunnelID
        let keep: InboxSettings.Keep
        let done: CheckedContinuation<Result<Void, InboxStoreError>, Never>
    }

    nonisolated let pool: DatabasePool
    nonisolated let checkpoints: LogCheckpoints
    nonisolated let keys: SealingKeys
    private nonisolated let bounds: Bounds
    private let lock: InboxFileLock
    private nonisolated let folder: String
    private var arrivals: [Arrival] = []
    private var isCommitting = false
    private var isClosed = false
    /// Who waits for the last commit.
    private var closing: [CheckedContinuation<Void, Never>] = []

    /// Opens the file in a folder, or makes it.
    ///
    /// - Parameters:
    ///   - folder: The folder, of this edge alone.
    ///   - keys: What everything in it is sealed with.
    ///   - bounds: What bounds it.
    /// - Throws: ``InboxFileFailure``.
    package init(folder: String, keys: SealingKeys, bounds: Bounds = Bounds()) throws(InboxFileFailure) {
        self.lock = try InboxFileLock(folder: folder)
        self.keys = keys
        self.bounds = bounds
        self.folder = folder
        let path = "\(folder)/inbox.sqlite"
        try InboxFileLock.makePrivate(path)
        do {
            let length = LogCheckpoints.Length()
            self.pool = try InboxSchema.open(path, maximumBytes: bounds.fileBytes, length: length)
            self.checkpoints = try LogCheckpoints(self.pool, length: length)
        } catch {
            throw InboxFileFailure.damaged(path, why: (error as? DatabaseError)?.message ?? "\(error)")
        }
        do {
            _ = try Self.records(in: self.pool, keys)
        } catch InboxStoreError.failed {
            throw .sealedWithAnotherKey(path)
        } catch {
            throw InboxFileFailure.damaged(path, why: (error as? DatabaseError)?.message ?? "\(error)")
        }
    }

    // MARK: Inboxes

    private static func records(in pool: DatabasePool, _ keys: SealingKeys) throws -> [InboxRecord] {
        let rows = try pool.read { db in
            try Row.fetchAll(db, sql: "SELECT tunnel, record FROM inbox ORDER BY tunnel").map {
                ($0["tunnel"] as String, $0["record"] as Data)
            }
        }
        return try rows.map { tunnel, sealed in
            guard let text = keys.open(sealed, at: "inbox \(tunnel)"),
                let record = try? JSONDecoder().decode(InboxRecord.self, from: text)
            else { throw InboxStoreError.failed("the inbox of \(tunnel) can't be opened") }
            return record
        }
    }

    package func inboxes() throws -> [InboxRecord] { try Self.records(in: self.pool, self.keys) }

    package func put(_ record: InboxRecord) async throws {
        let sealed = try self.keys.seal(try JSONEncoder().encode(record), at: "inbox \(record.tunnelID)")
        try await self.pool.write { db in
            try db.execute(
                sql: """
                    INSERT INTO inbox (tunnel, record, keep_delivered, keep_waiting) VALUES (?, ?, ?, ?)
                    ON CONFLICT (tunnel) DO UPDATE SET record = excluded.record,
                        keep_delivered = excluded.keep_delivered, keep_waiting = excluded.keep_waiting
                    """,
                arguments: [
                    record.tunnelID, sealed, record.settings.keep.deliveredHours, record.settings.keep.waitingHours,
                ]
            )
        }
    }

    package func remove(_ id: TunnelID) async throws {
        // Its messages go in the sweep, a few at a time: by the number of the inbox, which no other one ever gets.
        try await self.pool.write { db in
            try db.execute(sql: "DELETE FROM inbox WHERE tunnel = ?", arguments: [id.description])
        }
    }

    // MARK: Messages that come

    package nonisolated func append(
        _ message: NewMessage,
        to id: TunnelID,
        keep: InboxSettings.Keep
    ) async throws(InboxStoreError) {
        let row: MessageRow
        do {
            row = try MessageRow(message, keys: self.keys, tunnel: id)
        } catch {
            throw .failed("\(error)")
        }
        let result = await withCheckedContinuation { done in
            Task { await self.arrived(Arrival(row: row, tunnel: id, keep: keep, done: done)) }
        }
        try result.get()
    }

    private func arrived(_ arrival: Arrival) {
        guard !self.isClosed else { return arrival.done.resume(returning: .failure(.failed("the store is closed"))) }
        self.arrivals.append(arrival)
        guard !self.isCommitting else { return }
        self.isCommitting = true
        Task { await self.commitAll() }
    }

    private func commitAll() async {
        while !self.arrivals.isEmpty {
            var (count, bytes) = (0, 0)
            while count < self.arrivals.count, count < self.bounds.batch,
                count == 0 || bytes + self.arrivals[count].row.size <= self.bounds.batchBytes
            {
                bytes += self.arrivals[count].row.size
                count += 1
            }
            let batch = Array(self.arrivals.prefix(count))
            self.arrivals.removeFirst(count)
            let rows = batch.map { ($0.row, $0.tunnel, $0.keep) }
            let results: [Result<Void, InboxStoreError>]
            do {
                guard InboxFileLock.freeBytes(folder: self.folder) >= self.bounds.reserveBytes + bytes else {
                    throw InboxStoreError.full
                }
                await self.checkpoints.room()
                results = try await self.pool.write { db in
                    try rows.map { row, tunnel, keep in try row.insert(into: db, tunnel: tunnel, keep: keep) }
                }
                self.checkpoints.wrote()
            } catch {
                let why = Self.reason(error)
                results = batch.map { _ in .failure(why) }
            }
            for (arrival, result) in zip(batch, results) { arrival.done.resume(returning: result) }
        }
        self.isCommitting = false
        for waiting in self.closing { waiting.resume() }
        self.closing = []
    }

    /// What an error of the file means to a message.
    private static func reason(_ error: any Error) -> InboxStoreError {
        if let error = error as? InboxStoreError { return error }
        guard let error = error as? DatabaseError else { return .failed("\(error)") }
        return error.resultCode == .SQLITE_FULL ? .full : .failed(error.message ?? "\(error.resultCode)")
    }

    // MARK: Messages that leave

    package nonisolated func next(
        _ id: TunnelID,
        order: InboxSettings.Delivery.Order,
        now: Date,
        except held: Set<String>
    ) async throws -> InboxTurn {
        let by = order == .strict ? "m.seq" : "m.due, m.seq"
        let limit = order == .strict ? 1 : held.count + 1
        let rows = try await self.pool.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT m.*, b.bytes AS content FROM message m JOIN inbox i ON m.inbox = i.id JOIN body b ON b.seq = m.seq
                    WHERE i.tunnel = ? AND m.state = 0 ORDER BY \(by) LIMIT ?
                    """,
                arguments: [id.description, limit]
            )
            .map { MessageRow.Kept($0) }
        }
        guard let row = rows.first(where: { !held.contains($0.id) }) else { return .nothing }
        let due = Date(timeIntervalSince1970: row.due)
        guard due <= now else { return .later(due) }
        if let message = row.message(self.keys, tunnel: id) { return .now(message) }
        // Nobody can open it any more: it must not hold those behind it.
        let step = DeliveryStep(state: .dead, attempts: row.attempts, due: now, error: "unreadable")
        try await self.conclude(row.id, of: id, with: step, now: now)
        return .later(now)
    }

    package nonisolated func conclude(
        _ message: String,
        of id: TunnelID,
        with step: DeliveryStep,
        now: Date
    ) async throws {
        try await self.pool.write { db in
            try db.execute(
                sql:
                    "UPDATE message SET state = ?, attempts = ?, due = ?, status = ?, error = ? WHERE id = ? AND state = 0",
                arguments: [
                    step.state.number, step.attempts, step.due.timeIntervalSince1970, step.status, step.error, message,
                ]
            )
        }
        self.checkpoints.wrote()
    }

    package func close() async {
        self.isClosed = true
        // What has come is kept, or refused with a reason, before another edge may have the file.
        if self.isCommitting { await withCheckedContinuation { self.closing.append($0) } }
        await self.checkpoints.close()
        // A sweep, or what became of a message: the pool has one writer, and closes behind it.
        try? await self.pool.barrierWriteWithoutTransaction { _ in }
        do {
            try self.pool.close()
        } catch {
            // Somebody still reads, which ends with the process; nobody writes any more.
        }
        self.lock.release()
    }
}
