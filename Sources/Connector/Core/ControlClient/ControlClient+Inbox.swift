// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import NIOHTTP1

/// The calls about webhook inboxes.
extension ControlClient {
    private func path(_ tunnelID: String, _ rest: String = "") -> String {
        "/api/tunnels/\(Self.percentEncoded(tunnelID))/inbox\(rest)"
    }

    private func path(_ tunnelID: String, message: String, _ rest: String = "") -> String {
        self.path(tunnelID, "/messages/\(Self.percentEncoded(message))\(rest)")
    }

    /// Makes an inbox for a tunnel, or changes it.
    package func setInbox(of tunnelID: String, _ settings: InboxSettings) async throws(EdgeFailure) -> InboxStatus {
        try await self.call(.PUT, self.path(tunnelID), body: self.encode(settings))
    }

    /// Describes an inbox.
    package func inbox(of tunnelID: String) async throws(EdgeFailure) -> InboxStatus {
        try await self.call(.GET, self.path(tunnelID))
    }

    /// Describes an inbox; `nil` if the tunnel has none, or the edge keeps or knows none.
    package func inboxIfAny(of tunnelID: String) async throws(EdgeFailure) -> InboxStatus? {
        do {
            return try await self.inbox(of: tunnelID)
        } catch .refused(_, _, .some(let problem)) where Self.withoutInbox.contains(problem.code) {
            return nil
        }
    }

    private static let withoutInbox: Set = ["inbox_not_found", "inbox_not_served", "not_found"]

    /// Deletes an inbox with all that is in it.
    package func deleteInbox(of tunnelID: String) async throws(EdgeFailure) {
        _ = try await self.exchange(.DELETE, self.path(tunnelID), body: nil)
    }

    /// Lists messages, the newest first.
    package func messages(
        of tunnelID: String,
        state: InboxMessageState?,
        limit: Int,
        before cursor: String? = nil
    ) async throws(EdgeFailure) -> InboxMessageList {
        var query = "?limit=\(limit)"
        if let state { query += "&state=\(state.rawValue)" }
        if let cursor { query += "&cursor=\(Self.percentEncoded(cursor))" }
        return try await self.call(.GET, self.path(tunnelID, "/messages" + query))
    }

    /// A message with its content.
    package func message(_ message: String, of tunnelID: String) async throws(EdgeFailure) -> InboxMessageContent {
        try await self.call(.GET, self.path(tunnelID, message: message))
    }

    /// Has a message delivered, once more if it was.
    package func deliver(_ message: String, of tunnelID: String) async throws(EdgeFailure) -> InboxChange {
        try await self.call(.POST, self.path(tunnelID, message: message, "/deliver"))
    }

    /// Has the messages delivered that are dead.
    package func deliverDead(of tunnelID: String) async throws(EdgeFailure) -> InboxChange {
        try await self.call(.POST, self.path(tunnelID, "/deliver"))
    }

    /// Gives a message up.
    package func skip(_ message: String, of tunnelID: String) async throws(EdgeFailure) -> InboxChange {
        try await self.call(.POST, self.path(tunnelID, message: message, "/skip"))
    }

    /// Deletes a message.
    package func deleteMessage(_ message: String, of tunnelID: String) async throws(EdgeFailure) {
        _ = try await self.exchange(.DELETE, self.path(tunnelID, message: message), body: nil)
    }
}
