// SPDX-License-Identifier: Apache-2.0

import ControlAPI

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Keeps inboxes as long as the edge lives: for `--dev`, and for tests of what works with a store.
package actor MemoryInboxStore: InboxStore {
    private struct Box {
        var record: InboxRecord
        /// In the order in which they came.
        var messages: [StoredMessage] = []
        var bytes = 0
    }

    private var boxes: [TunnelID: Box] = [:]
    private let maximumBytes: Int

    /// Makes an empty store.
    ///
    /// - Parameter maximumBytes: What all messages may take.
    package init(maximumBytes: Int = 64 << 20) {
        self.maximumBytes = maximumBytes
    }

    package func inboxes() -> [InboxRecord] {
        self.boxes.values.map(\.record).sorted { $0.tunnelID < $1.tunnelID }
    }

    package func put(_ record: InboxRecord) throws {
        guard let id = TunnelID(record.tunnelID) else { throw InboxStoreError.noInbox }
        self.boxes[id, default: Box(record: record)].record = record
    }

    package func remove(_ id: TunnelID) { self.boxes[id] = nil }

    package func append(
        _ message: NewMessage,
        to id: TunnelID,
        keep: InboxSettings.Keep
    ) throws(InboxStoreError) {
        guard var box = self.boxes[id] else { throw .noInbox }
        func isFull(_ box: Box) -> Bool {
            box.messages.count >= keep.messages || box.bytes + message.size > keep.bytes
        }
        while isFull(box), let index = box.messages.firstIndex(where: { $0.message.state == .delivered }) {
            box.bytes -= box.messages.remove(at: index).size
        }
        guard !isFull(box) else { throw .full }
        guard self.boxes.values.reduce(0, { $0 + $1.bytes }) + message.size <= self.maximumBytes else { throw .full }
        box.messages.append(
            StoredMessage(
                message: InboxMessage(
                    id: message.id,
                    state: .waiting,
                    receivedAt: message.receivedAt,
                    method: message.head.method,
                    target: message.head.target,
                    size: message.body.count,
                    verified: message.verified,
                    dueAt: message.receivedAt
                ),
                head: message.head,
                body: message.body
            )
        )
        box.bytes += message.size
        self.boxes[id] = box
    }

    package func next(
        _ id: TunnelID,
        order: InboxSettings.Delivery.Order,
        now: Date,
        except held: Set<String>
    ) -> InboxTurn {
        let waiting = (self.boxes[id]?.messages ?? []).filter { $0.message.state == .waiting }
        let candidate: StoredMessage?
        switch order {
        case .strict: candidate = waiting.first
        case .any:
            candidate = waiting.filter { !held.contains($0.message.id) }.min {
                ($0.message.dueAt ?? now) < ($1.message.dueAt ?? now)
            }
        }
        guard let candidate, !held.contains(candidate.message.id) else { return .nothing }
        guard let due = candidate.message.dueAt, due > now else { return .now(candidate) }
        return .later(due)
    }

    package func conclude(_ message: String, of id: TunnelID, with step: DeliveryStep, now: Date) {
        guard let index = self.boxes[id]?.messages.firstIndex(where: { $0.message.id == message }),
            self.boxes[id]?.messages[index].message.state == .waiting
        else { return }
        self.boxes[id]?.messages[index].message.take(step)
    }

    package func page(
        _ id: TunnelID,
        state: InboxMessageState?,
        before: String?,
        limit: Int
    ) -> [InboxMessage] {
        var messages = (self.boxes[id]?.messages ?? []).map(\.message)
        if let before, let index = messages.firstIndex(where: { $0.id == before }) {
            messages.removeSubrange(index...)
        }
        return Array(messages.reversed().filter { state == nil || $0.state == state }.prefix(limit))
    }

    package func message(_ message: String, of id: TunnelID) -> StoredMessage? {
        self.boxes[id]?.messages.first { $0.message.id == message }
    }

    package func change(
        _ id: TunnelID,
        _ selection: MessageSelection,
        _ change: MessageChange,
        now: Date
    ) -> Int {
        guard var box = self.boxes[id] else { return 0 }
        let chosen = box.messages.indices.filter { index in
            let message = box.messages[index].message
            return switch selection {
            case .one(let name): message.id == name
            case .all(let state): message.state == state
            }
        }
        .prefix(1_000)
        switch change {
        case .deliver: for index in chosen { box.messages[index].message.deliverAgain(now: now) }
        case .skip: for index in chosen { box.messages[index].message.skip() }
        case .delete:
            for index in chosen.reversed() { box.bytes -= box.messages.remove(at: index).size }
        }
        self.boxes[id] = box
        return chosen.count
    }

    package func figures() -> [TunnelID: InboxFigures] {
        self.boxes.mapValues { box in
            var figures = InboxFigures()
            for message in box.messages.map(\.message) {
                switch message.state {
                case .waiting: figures.waiting += 1
                case .delivered: figures.delivered += 1
                case .dead: figures.dead += 1
                }
            }
            figures.bytes = box.bytes
            figures.oldestWaiting = box.messages.first { $0.message.state == .waiting }?.message.receivedAt
            return figures
        }
    }

    package func sweep(now: Date) -> SweepReport {
        var report = SweepReport()
        for (id, var box) in self.boxes {
            let keep = box.record.settings.keep
            let delivery = InboxDelivery(box.record.settings)
            for index in box.messages.indices where box.messages[index].message.state == .waiting {
                guard delivery.isExpired(receivedAt: box.messages[index].message.receivedAt, now: now) else { continue }
                box.messages[index].message.expire()
                report.expired += 1
            }
            let before = box.messages.count
            box.messages.removeAll { $0.message.isOver(keep, now: now) }
            report.deleted += before - box.messages.count
            box.bytes = box.messages.reduce(0) { $0 + $1.size }
            self.boxes[id] = box
        }
        return report
    }

    package func close() {}
}

extension StoredMessage {
    /// What the message counts for in the bounds of its inbox, in bytes.
    package var size: Int { self.head.bytes.count + self.body.count }
}

extension InboxMessage {
    /// Takes what came of handing it over.
    package mutating func take(_ step: DeliveryStep) {
        self.state = step.state
        self.attempts = step.attempts
        self.dueAt = step.state == .waiting ? step.due : nil
        self.lastStatus = step.status
        self.lastError = step.error
    }

    mutating func deliverAgain(now: Date) {
        self.state = .waiting
        self.attempts = 0
        self.dueAt = now
    }

    mutating func skip() {
        guard self.state == .waiting else { return }
        self.state = .dead
        self.dueAt = nil
        self.lastError = "skipped"
    }

    mutating func expire() {
        self.state = .dead
        self.dueAt = nil
        self.lastError = "expired"
    }

    /// Whether nobody needs it any more: what was delivered for `delivered_hours`, and what is dead for as long as a
    /// message may wait, both since it came and beyond the time that it may have waited.
    fileprivate func isOver(_ keep: InboxSettings.Keep, now: Date) -> Bool {
        let age = now.timeIntervalSince(self.receivedAt) / 3_600
        switch self.state {
        case .waiting: return false
        case .delivered: return age > Double(keep.deliveredHours)
        case .dead: return age > Double(2 * keep.waitingHours)
        }
    }
}
