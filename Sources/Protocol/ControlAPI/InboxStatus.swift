// SPDX-License-Identifier: Apache-2.0

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Where a message of an inbox stands.
package enum InboxMessageState: String, Codable, CaseIterable, Sendable {
    /// It is to be handed over, now or at a time.
    case waiting
    /// The app took it.
    case delivered
    /// Nobody is going to try again by himself.
    case dead
}

/// An inbox, as `GET /api/tunnels/{id}/inbox` shows it.
package struct InboxStatus: Codable, Equatable, Sendable {
    /// The tunnel's id.
    package var tunnelID: String
    /// The settings, without the secret.
    package var settings: InboxSettings
    package var waiting: Int
    package var delivered: Int
    package var dead: Int
    /// The bytes of all messages' heads and bodies.
    package var bytes: Int
    /// When the oldest message that waits came.
    package var oldestWaitingAt: Date?

    /// Makes a status.
    package init(
        tunnelID: String,
        settings: InboxSettings,
        waiting: Int = 0,
        delivered: Int = 0,
        dead: Int = 0,
        bytes: Int = 0,
        oldestWaitingAt: Date? = nil
    ) {
        self.tunnelID = tunnelID
        self.settings = settings
        self.waiting = waiting
        self.delivered = delivered
        self.dead = dead
        self.bytes = bytes
        self.oldestWaitingAt = oldestWaitingAt
    }

    private enum CodingKeys: String, CodingKey {
        case tunnelID = "tunnel_id"
        case settings, waiting, delivered, dead, bytes
        case oldestWaitingAt = "oldest_waiting_at"
    }
}

/// A message of an inbox without its content.
package struct InboxMessage: Codable, Equatable, Sendable {
    /// What names it, also to the app, in `Culvert-Inbox`.
    package var id: String
    package var state: InboxMessageState
    /// When it was kept.
    package var receivedAt: Date
    package var method: String
    /// The request target as the sender wrote it.
    package var target: String
    /// The length of the body, in bytes.
    package var size: Int
    /// Whether its signature was right; `nil` if none was checked.
    package var verified: Bool?
    /// How often the app refused it.
    package var attempts: Int
    /// When it is handed over next, if it waits for a time.
    package var dueAt: Date?
    /// The status of the app's last answer.
    package var lastStatus: Int?
    /// Why the last attempt failed, where no answer came: a code of docs/errors.md.
    package var lastError: String?

    /// Makes a message.
    package init(
        id: String,
        state: InboxMessageState,
        receivedAt: Date,
        method: String,
        target: String,
        size: Int,
        verified: Bool? = nil,
        attempts: Int = 0,
        dueAt: Date? = nil,
        lastStatus: Int? = nil,
        lastError: String? = nil
    ) {
        self.id = id
        self.state = state
        self.receivedAt = receivedAt
        self.method = method
        self.target = target
        self.size = size
        self.verified = verified
        self.attempts = attempts
        self.dueAt = dueAt
        self.lastStatus = lastStatus
        self.lastError = lastError
    }

    private enum CodingKeys: String, CodingKey {
        case id, state
        case receivedAt = "received_at"
        case method, target, size, verified, attempts
        case dueAt = "due_at"
        case lastStatus = "last_status"
        case lastError = "last_error"
    }
}

/// Messages of an inbox, the newest first.
package struct InboxMessageList: Codable, Equatable, Sendable {
    package var messages: [InboxMessage]
    /// What to give as `cursor` for those before them; `nil` if there are none.
    package var nextCursor: String?

    /// Makes a list.
    package init(messages: [InboxMessage], nextCursor: String? = nil) {
        self.messages = messages
        self.nextCursor = nextCursor
    }

    private enum CodingKeys: String, CodingKey {
        case messages
        case nextCursor = "next_cursor"
    }
}

/// A message with its content.
package struct InboxMessageContent: Codable, Equatable, Sendable {
    package var message: InboxMessage
    /// The head as the sender wrote it.
    package var head: String
    /// The body, in base 64.
    package var bodyBase64: String

    /// Makes a message with its content.
    package init(message: InboxMessage, head: String, bodyBase64: String) {
        self.message = message
        self.head = head
        self.bodyBase64 = bodyBase64
    }

    private enum CodingKeys: String, CodingKey {
        case message, head
        case bodyBase64 = "body_base64"
    }
}

/// What came of a call for many messages.
package struct InboxChange: Codable, Equatable, Sendable {
    /// How many messages were changed.
    package var changed: Int

    /// Makes an answer.
    package init(changed: Int) {
        self.changed = changed
    }
}
