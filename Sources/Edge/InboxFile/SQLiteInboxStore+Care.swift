// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeInbox
import GRDB

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What people look at and change, and what goes with time.
extension SQLiteInboxStore {
    package nonisolated func page(
        _ id: TunnelID,
        state: InboxMessageState?,
        before: String?,
        limit: Int
    ) async throws -> [InboxMessage] {
        let rows = try await self.pool.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT m.* FROM message m JOIN inbox i ON m.inbox = i.id WHERE i.tunnel = :tunnel
                    AND (:state IS NULL OR m.state = :state)
                    AND (:before IS NULL OR m.seq < (SELECT seq FROM message WHERE id = :before))
                    ORDER BY m.seq DESC LIMIT :limit
                    """,
                arguments: ["tunnel": id.description, "state": state?.number, "before": before, "limit": limit]
            )
            .map { MessageRow.Kept($0) }
        }
        return rows.map { $0.summary(self.keys, tunnel: id) }
    }

    package nonisolated func message(_ message: String, of id: TunnelID) async throws -> StoredMessage? {
        let row = try await self.pool.read { db in
            try Row.fetchOne(
                db,
                sql: """
                    SELECT m.*, b.bytes AS content FROM message m JOIN inbox i ON m.inbox = i.id JOIN body b ON b.seq = m.seq
                    WHERE i.tunnel = ? AND m.id = ?
                    """,
                arguments: [id.description, message]
            )
            .map { MessageRow.Kept($0) }
        }
        return row?.message(self.keys, tunnel: id)
    }

    package nonisolated func change(
        _ id: TunnelID,
        _ selection: MessageSelection,
        _ change: MessageChange,
        now: Date
    ) async throws -> Int {
        let now = now.timeIntervalSince1970
        return try await self.pool.write { db in
            var (condition, argument): (String, any DatabaseValueConvertible)
            switch selection {
            case .one(let message): (condition, argument) = ("m.id = ?", message)
            case .all(let state): (condition, argument) = ("m.state = ?", state.number)
            }
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT m.seq, m.size, m.inbox FROM message m JOIN inbox i ON m.inbox = i.id
                    WHERE i.tunnel = ? AND \(condition) ORDER BY m.seq LIMIT 1000
                    """,
                arguments: [id.description, argument]
            )
            for row in rows {
                let seq: Int64 = row["seq"]
                switch change {
                case .deliver:
                    try db.execute(
                        sql: "UPDATE message SET state = 0, attempts = 0, due = ? WHERE seq = ?",
                        arguments: [now, seq]
                    )
                case .skip:
                    try db.execute(
                        sql: "UPDATE message SET state = 2, error = 'skipped' WHERE seq = ? AND state = 0",
                        arguments: [seq]
                    )
                case .delete: try Self.delete(row, from: db)
                }
            }
            return rows.count
        }
    }

    /// Deletes a message, and takes it off what its inbox counts.
    private static func delete(_ row: Row, from db: Database) throws {
        try MessageRow.delete(seq: row["seq"], from: db)
        try db.execute(
            sql: "UPDATE inbox SET messages = messages - 1, bytes = bytes - ? WHERE id = ?",
            arguments: [row["size"] as Int, row["inbox"] as Int64]
        )
    }

    package nonisolated func figures() async throws -> [TunnelID: InboxFigures] {
        try await self.pool.read { db in
            var figures: [TunnelID: InboxFigures] = [:]
            for row in try Row.fetchAll(db, sql: "SELECT tunnel, bytes FROM inbox") {
                guard let id = TunnelID(row["tunnel"] as String) else { continue }
                figures[id, default: InboxFigures()].bytes = row["bytes"]
            }
            let counts = try Row.fetchAll(
                db,
                sql: """
                    SELECT i.tunnel AS tunnel, m.state AS state, count(*) AS count, min(m.seq) AS first
                    FROM message m JOIN inbox i ON m.inbox = i.id GROUP BY m.inbox, m.state
                    """
            )
            for row in counts {
                guard let id = TunnelID(row["tunnel"] as String) else { continue }
                switch InboxMessageState(number: row["state"]) {
                case .waiting:
                    figures[id]?.waiting = row["count"]
                    let received = try Double.fetchOne(
                        db,
                        sql: "SELECT received FROM message WHERE seq = ?",
                        arguments: [row["first"] as Int64]
                    )
                    figures[id]?.oldestWaiting = received.map { Date(timeIntervalSince1970: $0) }
                case .delivered: figures[id]?.delivered = row["count"]
                case .dead: figures[id]?.dead = row["count"]
                }
            }
            return figures
        }
    }

    package nonisolated func sweep(now: Date) async throws -> SweepReport {
        var report = SweepReport()
        report.expired = try await self.expire(now: now.timeIntervalSince1970)
        var (deleting, givingBack) = (SweepPace(), SweepPace())
        while !Task.isCancelled {
            let deleted = try await self.deleteOver(now: now.timeIntervalSince1970, &deleting)
            report.deleted += deleted
            let free = try await self.giveBack(&givingBack)
            if deleted == 0, free == 0 { break }
        }
        if report.deleted > 0 { await self.checkpoints.finish() }
        return report
    }

    /// Gives some pages back to the file system.
    ///
    /// - Returns: How many are left to be given back.
    private nonisolated func giveBack(_ pace: inout SweepPace) async throws -> Int {
        let pages = pace.pages
        await self.checkpoints.room()
        let (free, took) = try await self.pool.writeWithoutTransaction { db in
            let began = ContinuousClock.now
            // Outside of a transaction of ours.
            _ = try Row.fetchAll(db, sql: "PRAGMA incremental_vacuum(\(pages))")
            let free = try Int.fetchOne(db, sql: "PRAGMA freelist_count") ?? 0
            return (free, ContinuousClock.now - began)
        }
        self.checkpoints.wrote()
        try? await Task.sleep(for: free > 0 ? pace.took(took) : .zero)
        return free
    }

    /// Whose time is over: looked for by a reader and by an index, and checked again by who deletes.
    static let over = """
        WITH RECURSIVE number (id) AS (
            SELECT min(inbox) FROM message
            UNION ALL SELECT (SELECT min(inbox) FROM message WHERE inbox > number.id) FROM number
                WHERE number.id IS NOT NULL
        )
        SELECT m.seq, m.size FROM number CROSS JOIN message m ON m.inbox = number.id
            WHERE number.id NOT IN (SELECT id FROM inbox)
        UNION ALL SELECT m.seq, m.size FROM inbox i CROSS JOIN message m ON m.inbox = i.id
            WHERE m.state = 1 AND m.received < :now - i.keep_delivered * 3600.0
        UNION ALL SELECT m.seq, m.size FROM inbox i CROSS JOIN message m ON m.inbox = i.id
            WHERE m.state = 2 AND m.received < :now - i.keep_waiting * 7200.0
        LIMIT :step
        """

    private nonisolated func deleteOver(now: Double, _ pace: inout SweepPace) async throws -> Int {
        let (messages, bytes) = (pace.messages, pace.bytes)
        let found = try await self.pool.read { db in
            let rows = try Row.fetchAll(db, sql: Self.over, arguments: ["now": now, "step": messages])
            var (found, total): ([Int64], Int) = ([], 0)
            for row in rows {
                total += row["size"]
                guard found.isEmpty || total <= bytes else { break }
                found.append(row["seq"])
            }
            // The pages of a body are a chain: whoever deletes it reads it all. So that its pages come from the disk here,
            // where nobody waits for them.
            let list = found.map(String.init).joined(separator: ",")
            _ = try Int.fetchOne(db, sql: "SELECT count(substr(bytes, -1)) FROM body WHERE seq IN (\(list))")
            return found
        }
        guard !found.isEmpty else { return 0 }
        let list = found.map(String.init).joined(separator: ",")
        await self.checkpoints.room()
        let took = try await self.pool.write { db in
            let began = ContinuousClock.now
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT m.seq, m.size, m.inbox FROM message m LEFT JOIN inbox i ON m.inbox = i.id
                    WHERE m.seq IN (\(list)) AND (i.id IS NULL
                        OR m.state = 1 AND m.received < :now - i.keep_delivered * 3600.0
                        OR m.state = 2 AND m.received < :now - i.keep_waiting * 7200.0)
                    """,
                arguments: ["now": now]
            )
            for row in rows { try Self.delete(row, from: db) }
            return ContinuousClock.now - began
        }
        self.checkpoints.wrote()
        try? await Task.sleep(for: pace.took(took))
        return found.count
    }

    private nonisolated func expire(now: Double) async throws -> Int {
        let found = try await self.pool.read { db in
            try Int64.fetchAll(
                db,
                sql: """
                    SELECT m.seq FROM inbox i CROSS JOIN message m ON m.inbox = i.id
                    WHERE m.state = 0 AND m.received < ? - i.keep_waiting * 3600.0 LIMIT 1000
                    """,
                arguments: [now]
            )
        }
        guard !found.isEmpty else { return 0 }
        let list = found.map(String.init).joined(separator: ",")
        return try await self.pool.write { db in
            try db.execute(
                sql: "UPDATE message SET state = 2, error = 'expired' WHERE state = 0 AND seq IN (\(list))"
            )
            return db.changesCount
        }
    }
}
