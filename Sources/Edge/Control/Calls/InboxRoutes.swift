// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeInbox
import EdgeTunnels
import HTTPTypes
import Hummingbird
import JSONText
import NIOCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The calls about webhook inboxes.
struct InboxRoutes: Sendable {
    let tunnels: TunnelRoutes
    /// The inboxes; `nil` if the edge has none.
    let desk: InboxDesk?

    /// Adds the calls to a group, which has to authenticate the caller.
    func add(to group: RouterGroup<ControlContext>) {
        group.put("{id}/inbox", use: self.set)
        group.get("{id}/inbox", use: self.show)
        group.delete("{id}/inbox", use: self.delete)
        group.post("{id}/inbox/deliver", use: self.deliverDead)
        group.get("{id}/inbox/messages", use: self.list)
        group.get("{id}/inbox/messages/{message}", use: self.message)
        group.delete("{id}/inbox/messages/{message}", use: self.deleteMessage)
        group.post("{id}/inbox/messages/{message}/deliver", use: self.deliver)
        group.post("{id}/inbox/messages/{message}/skip", use: self.skip)
    }

    // MARK: Inboxes

    @Sendable
    private func set(_ request: Request, _ context: ControlContext) async throws -> Response {
        let tunnel = try await self.tunnels.tunnel(context)
        guard let desk, tunnel.form.kind == .http, !tunnel.form.isPrivate else { throw Problem.inboxNotServed }
        var settings = try await JSONBody.decode(InboxSettings.self, members: .inbox, from: request)
        // Who changes something else need not know the secret.
        if settings.verify != nil, settings.verify?.secret == nil, let old = desk.record(tunnel.id),
            old.owner == tunnel.owner, old.settings.verify?.scheme == settings.verify?.scheme
        {
            settings.verify?.secret = old.settings.verify?.secret
        }
        if let fault = settings.fault {
            throw Problem.invalidBody(field: fault.field, detail: "\(fault.field) \(fault.message).")
        }
        let specification = tunnel.specification
        let record = InboxRecord(
            tunnelID: tunnel.id.description,
            name: specification.name,
            owner: specification.owner,
            settings: settings,
            policy: specification.policy,
            createdAt: specification.createdAt,
            version: specification.version
        )
        tunnel.inbox = try await self.asking { try await desk.set(record, of: tunnel.id) }
        return try await self.answer(for: record, tunnel, desk)
    }

    @Sendable
    private func show(_ request: Request, _ context: ControlContext) async throws -> Response {
        let (tunnel, record, desk) = try await self.inbox(context)
        return try await self.answer(for: record, tunnel, desk)
    }

    private func answer(for record: InboxRecord, _ tunnel: Tunnel, _ desk: InboxDesk) async throws -> Response {
        let all = try await self.asking { try await desk.asking { try await desk.store.figures() } }
        let figures = all[tunnel.id] ?? InboxFigures()
        return try JSONBody.response(
            .ok,
            InboxStatus(
                tunnelID: record.tunnelID,
                settings: record.settings.withoutSecret,
                waiting: figures.waiting,
                delivered: figures.delivered,
                dead: figures.dead,
                bytes: figures.bytes,
                oldestWaitingAt: figures.oldestWaiting
            )
        )
    }

    @Sendable
    private func delete(_ request: Request, _ context: ControlContext) async throws -> Response {
        let (tunnel, _, _) = try await self.inbox(context)
        try await self.remove(tunnel)
        return Response(status: .noContent)
    }

    /// Removes the inbox of a tunnel, if it has one, with all that is in it.
    func remove(_ tunnel: Tunnel) async throws {
        guard let desk, desk.record(tunnel.id)?.owner == tunnel.owner else { return }
        try await self.asking { try await desk.remove(tunnel.id) }
        tunnel.inbox = nil
    }

    // MARK: Messages

    @Sendable
    private func list(_ request: Request, _ context: ControlContext) async throws -> Response {
        let (tunnel, _, desk) = try await self.inbox(context)
        let limit = try self.tunnels.limit(of: request)
        var state: InboxMessageState?
        if let text = try self.tunnels.parameter("state", of: request) {
            guard let known = InboxMessageState(rawValue: String(text)) else {
                let states = InboxMessageState.allCases.map(\.rawValue).joined(separator: " or ")
                throw Problem.invalidParameter(field: "state", detail: "state has to be \(states).")
            }
            state = known
        }
        let cursor = try self.tunnels.parameter("cursor", of: request).map(String.init)
        guard cursor.map(NewMessage.isID) ?? true else {
            throw Problem.invalidParameter(field: "cursor", detail: "cursor has to be what next_cursor said.")
        }
        // One more than asked for tells whether there is another page.
        let found = try await self.asking { [state] in
            try await desk.asking {
                try await desk.store.page(tunnel.id, state: state, before: cursor, limit: limit + 1)
            }
        }
        let page = Array(found.prefix(limit))
        return try JSONBody.response(
            .ok,
            InboxMessageList(messages: page, nextCursor: found.count > limit ? page.last?.id : nil)
        )
    }

    @Sendable
    private func message(_ request: Request, _ context: ControlContext) async throws -> Response {
        let (tunnel, _, desk) = try await self.inbox(context)
        let id = try self.messageID(context)
        let found = try await self.asking {
            try await desk.asking { try await desk.store.message(id, of: tunnel.id) }
        }
        guard let found else { throw Problem.messageNotFound(id, of: tunnel.id) }
        return try JSONBody.response(
            .ok,
            InboxMessageContent(
                message: found.message,
                head: String(decoding: found.head.bytes, as: UTF8.self),
                bodyBase64: Data(found.body).base64EncodedString()
            )
        )
    }

    @Sendable
    private func deleteMessage(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try await self.change(.delete, context)
        return Response(status: .noContent)
    }

    @Sendable
    private func deliver(_ request: Request, _ context: ControlContext) async throws -> Response {
        try JSONBody.response(.ok, InboxChange(changed: try await self.change(.deliver, context)))
    }

    @Sendable
    private func skip(_ request: Request, _ context: ControlContext) async throws -> Response {
        try JSONBody.response(.ok, InboxChange(changed: try await self.change(.skip, context)))
    }

    @Sendable
    private func deliverDead(_ request: Request, _ context: ControlContext) async throws -> Response {
        let (tunnel, _, desk) = try await self.inbox(context)
        let changed = try await self.change(.deliver, .all(.dead), tunnel, desk)
        return try JSONBody.response(.ok, InboxChange(changed: changed))
    }

    private func change(_ change: MessageChange, _ context: ControlContext) async throws -> Int {
        let (tunnel, _, desk) = try await self.inbox(context)
        let id = try self.messageID(context)
        let changed = try await self.change(change, .one(id), tunnel, desk)
        guard changed > 0 else { throw Problem.messageNotFound(id, of: tunnel.id) }
        return changed
    }

    private func change(
        _ change: MessageChange,
        _ selection: MessageSelection,
        _ tunnel: Tunnel,
        _ desk: InboxDesk
    ) async throws -> Int {
        let now = self.tunnels.now()
        let changed = try await self.asking {
            try await desk.asking { try await desk.store.change(tunnel.id, selection, change, now: now) }
        }
        // What held the others may not do so any more.
        desk.wake(tunnel.id, hasSession: true)
        return changed
    }

    // MARK: Parts

    private func messageID(_ context: ControlContext) throws -> String {
        guard let id = context.parameters.get("message"), NewMessage.isID(id) else {
            throw Problem.invalidParameter(
                field: "message",
                detail: "message has to be an id such as inbox list shows."
            )
        }
        return id
    }

    /// The tunnel in the path and its inbox, if the caller may know of them.
    private func inbox(_ context: ControlContext) async throws -> (Tunnel, InboxRecord, InboxDesk) {
        let tunnel = try await self.tunnels.tunnel(context)
        guard let desk, let record = desk.record(tunnel.id), record.owner == tunnel.owner else {
            throw Problem.inboxNotFound(tunnel.id)
        }
        return (tunnel, record, desk)
    }

    private func asking<Answer>(_ question: () async throws -> Answer) async throws -> Answer {
        do {
            return try await question()
        } catch InboxDesk.Refusal.tooMany(let limit) {
            throw Problem.tooManyInboxes(limit: limit)
        } catch InboxDesk.Refusal.unavailable {
            throw Problem.inboxUnavailable
        }
    }
}
