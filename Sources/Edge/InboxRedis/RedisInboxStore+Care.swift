// SPDX-License-Identifier: Apache-2.0
#if Redis

import ControlAPI
import EdgeInbox
import RESP
import Redis

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What people look at and change, and what goes with time.
extension RedisInboxStore {
    /// How many messages a step of a sweep takes: Redis does nothing else meanwhile.
    private static let step = 100

    package func page(
        _ id: TunnelID,
        state: InboxMessageState?,
        before: String?,
        limit: Int
    ) async throws -> [InboxMessage] {
        let answer = try await self.run(
            self.scripts.page,
            id,
            [state.map { "\($0.number)" } ?? "", before ?? "", "\(limit)"]
        )
        guard let rows = answer.elements else { throw self.misunderstood(answer) }
        return try rows.map { row in
            guard let found = self.found(row) else { throw self.misunderstood(row) }
            return found.summary(self.keys, tunnel: id)
        }
    }

    package func message(_ message: String, of id: TunnelID) async throws -> StoredMessage? {
        let answer = try await self.run(self.scripts.message, id, [message])
        return self.found(answer)?.message(self.keys, tunnel: id)
    }

    private func found(_ row: RESPValue) -> RedisMessage? {
        guard let parts = row.elements, parts.count == 2 else { return nil }
        return RedisMessage(due: parts[0], fields: parts[1])
    }

    package func change(
        _ id: TunnelID,
        _ selection: MessageSelection,
        _ change: MessageChange,
        now: Date
    ) async throws -> Int {
        let chosen =
            switch selection {
            case .one(let message): ["one", message]
            case .all(let state): ["all", "\(state.number)"]
            }
        let name =
            switch change {
            case .deliver: "deliver"
            case .skip: "skip"
            case .delete: "delete"
            }
        let answer = try await self.run(
            self.scripts.change,
            id,
            [id.description] + chosen + [name, "\(now.timeIntervalSince1970)"]
        )
        guard let count = answer.number else { throw self.misunderstood(answer) }
        return count
    }

    package func figures() async throws -> [TunnelID: InboxFigures] {
        var all: [TunnelID: InboxFigures] = [:]
        try await self.eachPage { ids in
            let answer = try await self.client.run(self.scripts.figures, keys: [], arguments: ids)
            guard let rows = answer.elements else { throw self.misunderstood(answer) }
            for row in rows {
                guard let parts = row.elements, parts.count == 6, let id = parts[0].text.flatMap({ TunnelID($0) })
                else { throw self.misunderstood(row) }
                var figures = InboxFigures()
                figures.waiting = parts[1].number ?? 0
                figures.delivered = parts[2].number ?? 0
                figures.dead = parts[3].number ?? 0
                figures.bytes = parts[4].number ?? 0
                figures.oldestWaiting = parts[5].text.flatMap { Double($0) }
                    .map { Date(timeIntervalSince1970: $0) }
                all[id] = figures
            }
        }
        return all
    }

    package func sweep(now: Date) async throws -> SweepReport {
        var report = SweepReport()
        try await self.eachPage { ids in
            for id in ids.compactMap({ TunnelID($0) }) {
                var isMore = true
                while isMore, !Task.isCancelled {
                    let step = [now.timeIntervalSince1970.description, "\(Self.step)"]
                    let answer = try await self.run(self.scripts.sweep, id, step)
                    guard let parts = answer.elements, parts.count == 2, let expired = parts[0].number,
                        let deleted = parts[1].number
                    else { throw self.misunderstood(answer) }
                    report.expired += expired
                    report.deleted += deleted
                    isMore = max(expired, deleted) >= Self.step
                }
            }
        }
        while !Task.isCancelled {
            let answer = try await self.client.run(self.scripts.clear, keys: [], arguments: ["\(Self.step)"])
            guard let count = answer.number else { throw self.misunderstood(answer) }
            if count < 0 { break }
            report.deleted += count
        }
        return report
    }
}

#endif
