// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Inspection
import NIOConcurrencyHelpers

/// The webhook inboxes of the tunnels that are served, asked of their edges with the keys that the tunnels were made with.
///
/// Called on any thread.
package final class TunnelInboxes: Sendable {
    private struct State {
        var calls = 0
        var latest: (tunnel: String, content: InboxMessageContent)?
    }

    private let server: TunnelServer
    private let directory: TunnelDirectory
    private let state = NIOLockedValueBox(State())

    /// The most calls that are under way at a time: an answer may have a message of 16 MiB.
    package static let maximumCalls = 4
    /// The longest body, in base 64, of which the message stays in memory for the calls that show its parts.
    private static let largestKept = 2 << 20
    /// The longest name of a message that an edge is asked about.
    private static let longestName = 64

    /// - Parameters:
    ///   - server: Makes the calls.
    ///   - directory: The tunnels, with what their edges are asked by.
    package init(server: TunnelServer, directory: TunnelDirectory) {
        self.server = server
        self.directory = directory
    }

    // MARK: Looking

    /// How much is in the inbox of a tunnel.
    package func status(of tunnel: String) async throws(ProblemDetails) -> InboxStatus {
        try await self.ask(tunnel) { client async throws(EdgeFailure) in try await client.inbox(of: tunnel) }
    }

    /// Messages, the newest first.
    ///
    /// - Parameters:
    ///   - tunnel: The tunnel.
    ///   - state: Only those that are in this state.
    ///   - limit: How many, 1 to 200.
    ///   - cursor: Only those before it.
    package func messages(
        of tunnel: String,
        state: InboxMessageState?,
        limit: Int,
        before cursor: String?
    ) async throws(ProblemDetails) -> InboxMessageList {
        try await self.ask(tunnel) { client async throws(EdgeFailure) in
            try await client.messages(of: tunnel, state: state, limit: limit, before: cursor)
        }
    }

    /// A message with its content, which stays the same as long as there is the message.
    package func message(_ name: String, of tunnel: String) async throws(ProblemDetails) -> InboxMessageContent {
        try Self.check(name)
        let content = try await self.ask(tunnel) { client async throws(EdgeFailure) in
            try await client.message(name, of: tunnel)
        }
        self.state.withLockedValue {
            $0.latest = content.bodyBase64.utf8.count <= Self.largestKept ? (tunnel, content) : nil
        }
        return content
    }

    /// A message as it was when it was last asked for, where only its content matters.
    package func content(_ name: String, of tunnel: String) async throws(ProblemDetails) -> InboxMessageContent {
        let latest = self.state.withLockedValue { $0.latest }
        if let latest, latest.tunnel == tunnel, latest.content.message.id == name { return latest.content }
        return try await self.message(name, of: tunnel)
    }

    // MARK: Changing

    /// Has the edge deliver a message, once more if it was.
    package func deliver(_ name: String, of tunnel: String) async throws(ProblemDetails) -> InboxChange {
        try Self.check(name)
        return try await self.ask(tunnel) { client async throws(EdgeFailure) in
            try await client.deliver(name, of: tunnel)
        }
    }

    /// Has the edge deliver what is dead.
    package func deliverDead(of tunnel: String) async throws(ProblemDetails) -> InboxChange {
        try await self.ask(tunnel) { client async throws(EdgeFailure) in try await client.deliverDead(of: tunnel) }
    }

    /// Gives a message up.
    package func skip(_ name: String, of tunnel: String) async throws(ProblemDetails) -> InboxChange {
        try Self.check(name)
        return try await self.ask(tunnel) { client async throws(EdgeFailure) in try await client.skip(name, of: tunnel)
        }
    }

    /// Deletes a message.
    package func delete(_ name: String, of tunnel: String) async throws(ProblemDetails) {
        try Self.check(name)
        try await self.ask(tunnel) { client async throws(EdgeFailure) in
            try await client.deleteMessage(name, of: tunnel)
        }
        self.state.withLockedValue { $0.latest = nil }
    }

    // MARK: Parts

    private static func check(_ name: String) throws(ProblemDetails) {
        guard (1...Self.longestName).contains(name.utf8.count) else {
            throw .inspector(
                404,
                "message_not_found",
                "The inbox has no message of this id: one has 1 to \(Self.longestName) signs."
            )
        }
    }

    private func ask<Answer: Sendable>(
        _ tunnel: String,
        _ call: @Sendable (ControlClient) async throws(EdgeFailure) -> Answer
    ) async throws(ProblemDetails) -> Answer {
        guard self.directory.target(of: tunnel) != nil else {
            throw .inspector(404, "not_found", "No tunnel \(tunnel) is served here.")
        }
        guard let access = self.directory.subjects.first(where: { $0.id == tunnel })?.access else {
            throw .inspector(
                409,
                "key_missing",
                "The tunnel \(tunnel) is served by its token, and the edge shows an inbox only to who has its API key. Look "
                    + "with culvert inbox list \(tunnel) where the key is, or at the edge's own page."
            )
        }
        let isFree = self.state.withLockedValue { state in
            guard state.calls < Self.maximumCalls else { return false }
            state.calls += 1
            return true
        }
        guard isFree else {
            throw .inspector(429, "busy", "Too many calls to the edge are under way: wait until some of them are over.")
        }
        defer { self.state.withLockedValue { $0.calls -= 1 } }
        do {
            return try await self.server.callOnce(access, call)
        } catch let failure as EdgeFailure {
            throw Self.problem(failure)
        } catch {
            throw .inspector(502, "edge_unreachable", "The edge can't be asked: \(error)")
        }
    }

    /// What a failure means to who looks at a page of ours: a status of the edge about its key is none about this page.
    static func problem(_ failure: EdgeFailure) -> ProblemDetails {
        guard case .refused(let status, _, let problem) = failure else {
            return .inspector(502, "edge_unreachable", failure.description)
        }
        let code = problem?.code ?? "edge_refused"
        if code == "otp_required" || code == "otp_invalid" {
            let detail =
                "The API key needs a one-time code for each call, which this page does not have: use culvert inbox with "
                + "--otp, or the edge's own page."
            return .inspector(409, "otp_required", detail)
        }
        let isOurs = [400, 404, 409, 429, 503].contains(status) && problem != nil
        return .inspector(isOurs ? status : 502, code, failure.description)
    }
}
