// SPDX-License-Identifier: Apache-2.0
#if Redis

import ControlAPI
import EdgeInbox
import RESP

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A message as Redis has it: when it is due, and fields and values in turn.
struct RedisMessage {
    let id: String
    let attempts: Int
    private let due: Double?
    private let values: [String: RESPValue]

    /// Reads an answer; `nil` for what is no message.
    init?(due: RESPValue, fields: RESPValue) {
        guard let words = fields.elements else { return nil }
        var values: [String: RESPValue] = [:]
        for index in stride(from: 0, to: words.count - 1, by: 2) {
            if let name = words[index].text { values[name] = words[index + 1] }
        }
        guard let id = values["i"]?.text else { return nil }
        self.id = id
        self.attempts = values["a"]?.number ?? 0
        self.due = due.text.flatMap { Double($0) }
        self.values = values
    }

    /// The message without its content; one that can't be opened has neither method nor target.
    func summary(_ keys: SealingKeys, tunnel: TunnelID) -> InboxMessage {
        self.summary(self.head(keys, tunnel))
    }

    /// The message; `nil` if it can't be opened.
    func message(_ keys: SealingKeys, tunnel: TunnelID) -> StoredMessage? {
        guard let head = self.head(keys, tunnel), let sealed = self.values["x"]?.content,
            let body = SealedMessage.body(Data(sealed), of: self.id, keys: keys, tunnel: tunnel)
        else { return nil }
        return StoredMessage(message: self.summary(head), head: head, body: body)
    }

    private func head(_ keys: SealingKeys, _ tunnel: TunnelID) -> MessageHead? {
        guard let sealed = self.values["h"]?.content else { return nil }
        return SealedMessage.head(Data(sealed), of: self.id, keys: keys, tunnel: tunnel)
    }

    private func summary(_ head: MessageHead?) -> InboxMessage {
        let state = InboxMessageState(number: self.values["s"]?.number ?? 2)
        let error = self.values["e"]?.text ?? ""
        return InboxMessage(
            id: self.id,
            state: state,
            receivedAt: Date(timeIntervalSince1970: self.values["t"]?.text.flatMap { Double($0) } ?? 0),
            method: head?.method ?? "-",
            target: head?.target ?? "-",
            size: self.values["y"]?.number ?? 0,
            verified: self.values["v"]?.number.map { $0 == 1 },
            attempts: self.attempts,
            dueAt: state == .waiting ? self.due.map { Date(timeIntervalSince1970: $0) } : nil,
            lastStatus: self.values["c"]?.number,
            lastError: error.isEmpty ? nil : error
        )
    }
}

#endif
