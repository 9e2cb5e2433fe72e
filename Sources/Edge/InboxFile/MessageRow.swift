// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeInbox
import GRDB

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A message as it is written to the file: sealed, but for what the file itself has to know.
struct MessageRow: Sendable {
    let id: String
    let received: Double
    let verified: Bool?
    /// What it counts for in the bounds of its inbox.
    let size: Int
    let bodySize: Int
    let head: Data
    let body: Data

    /// Seals a message.
    init(_ message: NewMessage, keys: SealingKeys, tunnel: TunnelID) throws {
        self.id = message.id
        self.received = message.receivedAt.timeIntervalSince1970
        self.verified = message.verified
        self.size = message.size
        self.bodySize = message.body.count
        let sealed = try SealedMessage(message, keys: keys, tunnel: tunnel)
        self.head = sealed.head
        self.body = sealed.body
    }

    /// The most messages that one that comes has to go for it, however small they are.
    private static let mostThatGo = 512

    /// Writes the row if the bounds of the inbox let it; what was delivered makes room, the oldest first.
    ///
    /// An inbox may have far more than its bounds say, since somebody has lowered them: what comes then is kept if as much has
    /// gone for it, and so the inbox shrinks with each message until the bounds hold.
    func insert(
        into db: Database,
        tunnel: TunnelID,
        keep: InboxSettings.Keep
    ) throws -> Result<Void, InboxStoreError> {
        let inbox = try db.cachedStatement(sql: "SELECT id, messages, bytes FROM inbox WHERE tunnel = ?")
        guard let row = try Row.fetchOne(inbox, arguments: [tunnel.description]) else { return .failure(.noInbox) }
        let number: Int64 = row["id"]
        var (messages, bytes): (Int, Int) = (row["messages"], row["bytes"])
        func isFull() -> Bool { messages >= keep.messages || bytes + self.size > keep.bytes }
        let before = (messages: messages, bytes: bytes)
        let rounds = min(Self.mostThatGo, 64 + self.size / 4_096)
        while isFull(), before.messages - messages < rounds {
            let oldest = try Row.fetchOne(
                db,
                sql: "SELECT seq, size FROM message WHERE inbox = ? AND state = 1 ORDER BY seq LIMIT 1",
                arguments: [number]
            )
            guard let oldest else { break }
            try Self.delete(seq: oldest["seq"], from: db)
            messages -= 1
            bytes -= oldest["size"]
        }
        let hasMadeRoom = before.messages > messages && before.bytes - bytes >= self.size
        let isKept = !isFull() || hasMadeRoom
        if isKept {
            try db.cachedStatement(
                sql: """
                    INSERT INTO message (id, inbox, state, received, due, attempts, size, body_size, verified, head)
                    VALUES (?, ?, 0, ?, ?, 0, ?, ?, ?, ?)
                    """
            )
            .execute(
                arguments: [
                    self.id, number, self.received, self.received, self.size, self.bodySize, self.verified, self.head,
                ]
            )
            try db.cachedStatement(sql: "INSERT INTO body (seq, bytes) VALUES (?, ?)")
                .execute(arguments: [db.lastInsertedRowID, self.body])
            messages += 1
            bytes += self.size
        }
        try db.cachedStatement(sql: "UPDATE inbox SET messages = ?, bytes = ? WHERE id = ?")
            .execute(arguments: [messages, bytes, number])
        return isKept ? .success(()) : .failure(.full)
    }

    static func delete(seq: Int64, from db: Database) throws {
        try db.cachedStatement(sql: "DELETE FROM body WHERE seq = ?").execute(arguments: [seq])
        try db.cachedStatement(sql: "DELETE FROM message WHERE seq = ?").execute(arguments: [seq])
    }
}

extension MessageRow {
    /// A row as it was read.
    struct Kept: Sendable {
        let seq: Int64
        let id: String
        let due: Double
        let attempts: Int
        private let state: Int
        private let received: Double
        private let bodySize: Int
        private let verified: Bool?
        private let status: Int?
        private let error: String?
        private let head: Data
        private let body: Data?

        /// Copies a row; `content` is there if the body is wanted.
        init(_ row: Row) {
            self.seq = row["seq"]
            self.id = row["id"]
            self.state = row["state"]
            self.received = row["received"]
            self.due = row["due"]
            self.attempts = row["attempts"]
            self.bodySize = row["body_size"]
            self.verified = row["verified"]
            self.status = row["status"]
            self.error = row["error"]
            self.head = row["head"]
            self.body = row.hasColumn("content") ? row["content"] : nil
        }

        /// The message without its content; one that can't be opened has neither method nor target.
        func summary(_ keys: SealingKeys, tunnel: TunnelID) -> InboxMessage {
            self.summary(self.openHead(keys, tunnel))
        }

        /// The message; `nil` if it can't be opened.
        func message(_ keys: SealingKeys, tunnel: TunnelID) -> StoredMessage? {
            guard let head = self.openHead(keys, tunnel), let body = self.body,
                let bytes = SealedMessage.body(body, of: self.id, keys: keys, tunnel: tunnel)
            else { return nil }
            return StoredMessage(message: self.summary(head), head: head, body: bytes)
        }

        private func openHead(_ keys: SealingKeys, _ tunnel: TunnelID) -> MessageHead? {
            SealedMessage.head(self.head, of: self.id, keys: keys, tunnel: tunnel)
        }

        private func summary(_ head: MessageHead?) -> InboxMessage {
            let state = InboxMessageState(number: self.state)
            return InboxMessage(
                id: self.id,
                state: state,
                receivedAt: Date(timeIntervalSince1970: self.received),
                method: head?.method ?? "-",
                target: head?.target ?? "-",
                size: self.bodySize,
                verified: self.verified,
                attempts: self.attempts,
                dueAt: state == .waiting ? Date(timeIntervalSince1970: self.due) : nil,
                lastStatus: self.status,
                lastError: self.error
            )
        }
    }
}
