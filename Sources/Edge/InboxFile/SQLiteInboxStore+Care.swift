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
    /// How many messages a step of a sweep deletes, how many of their bytes, and how many pages it gives back: one large step
    /// would hold up those who come, and make the log as large as what it deletes.
    private static let step = 100
    private static let stepBytes = 1 << 20
    private static let stepPages = 128

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
        while !Task.isCancelled {
            let deleted = try await self.deleteOver(now: now.timeIntervalSince1970)
            report.deleted += deleted
            // Outside of a transaction, and some pages at a time.
            let free = try await self.pool.writeWithoutTransaction { db in
                _ = try Row.fetchAll(db, sql: "PRAGMA incremental_vacuum(\(Self.stepPages))")
                return try Int.fetchOne(db, sql: "PRAGMA freelist_count") ?? 0
            }
            if deleted == 0, free == 0 { break }
        }
        if report.deleted > 0 { try await self.checkpoint() }
        return report
    }

    /// Whose time is over: looked for by a reader, since that may take long, and checked again by who deletes.
    private static let isOver = """
        (i.id IS NULL OR m.state = 1 AND m.received < :now - i.keep_delivered * 3600.0
            OR m.state = 2 AND m.received < :now - i.keep_waiting * 7200.0)
        """

    private nonisolated func deleteOver(now: Double) async throws -> Int {
        let from = "FROM message m LEFT JOIN inbox i ON m.inbox = i.id WHERE \(Self.isOver)"
        let all = try await self.pool.read { db in
            try Row.fetchAll(
                db,
                sql: "SELECT m.seq, m.size \(from) LIMIT :step",
                arguments: ["now": now, "step": Self.step]
            )
            .map { (seq: $0["seq"] as Int64, size: $0["size"] as Int) }
        }
        guard !all.isEmpty else { return 0 }
        var (count, bytes) = (0, 0)
        while count < all.count, count == 0 || bytes + all[count].size <= Self.stepBytes {
            bytes += all[count].size
            count += 1
        }
        let found = all.prefix(count).map(\.seq)
        let list = found.map(String.init).joined(separator: ",")
        try await self.pool.write { db in
            let rows = try Row.fetchAll(
                db,
                sql: "SELECT m.seq, m.size, m.inbox \(from) AND m.seq IN (\(list))",
                arguments: ["now": now]
            )
            for row in rows { try Self.delete(row, from: db) }
        }
        return found.count
    }

    private nonisolated func expire(now: Double) async throws -> Int {
        let found = try await self.pool.read { db in
            try Int64.fetchAll(
                db,
                sql: """
                    SELECT m.seq FROM message m JOIN inbox i ON m.inbox = i.id
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

    /// Gives back what the write-ahead log takes, so far as no reader needs it.
    private nonisolated func checkpoint() async throws {
        try await self.pool.writeWithoutTransaction { db in _ = try db.checkpoint(.passive) }
    }
}
