// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import ControlAPI
import Foundation
import HTTPTypes
import Hummingbird
import Inspection
import NIOCore

/// The calls of the inspector's API about the inboxes of the tunnels, which are at their edges.
struct InspectorInbox: Sendable {
    let inspection: TrafficInspection
    let replays: Replays
    let inboxes: TunnelInboxes

    private static let message = "api/tunnels/:name/inbox/messages/:message"

    /// Adds the calls.
    func add(to router: Router<InspectorContext>) {
        router.get("api/tunnels/:name/inbox") { _, context in
            try Self.answer(try await self.status(of: try Self.tunnel(context)))
        }
        router.post("api/tunnels/:name/inbox/deliver") { _, context in
            try Self.answer(try await self.inboxes.deliverDead(of: try Self.tunnel(context)))
        }
        router.get("api/tunnels/:name/inbox/messages") { request, context in try await self.list(request, context) }
        router.get("\(Self.message)") { _, context in
            let (tunnel, name) = (try Self.tunnel(context), try Self.name(context))
            let copy = try self.copy(try await self.inboxes.message(name, of: tunnel), of: tunnel)
            let uri = "/api/tunnels/\(tunnel)/inbox/messages/\(copy.message.id)"
            return try Self.answer(InboxMessageAnswer(copy, tunnel: tunnel, uri: uri))
        }
        router.delete("\(Self.message)") { _, context in
            try await self.inboxes.delete(try Self.name(context), of: try Self.tunnel(context))
            return Response(status: .noContent)
        }
        router.get("\(Self.message)/body") { request, context in
            let copy = try await self.copy(context)
            let head = copy.view(tunnel: "").request
            return try InspectorBodies.body(.init(capture: copy.state.request, head: head), of: request)
        }
        router.get("\(Self.message)/raw") { _, context in
            let copy = try await self.copy(context)
            let capture = MessageCapture(head: copy.head, body: copy.state.request.body)
            return InspectorBodies.raw(.init(capture: capture, head: HeadText(copy.head)))
        }
        router.post("\(Self.message)/deliver") { _, context in
            try Self.answer(try await self.inboxes.deliver(try Self.name(context), of: try Self.tunnel(context)))
        }
        router.post("\(Self.message)/skip") { _, context in
            try Self.answer(try await self.inboxes.skip(try Self.name(context), of: try Self.tunnel(context)))
        }
        router.post("\(Self.message)/send") { request, context in try await self.send(request, context) }
    }

    /// What the inbox of a tunnel has, or why there is none to look at: a page asks for that of every tunnel, also of those
    /// that have none, and that is no error.
    private struct StatusAnswer: Encodable {
        var inbox: InboxStatus?
        var missing: Missing?

        struct Missing: Encodable {
            var code: String
            var detail: String
        }
    }

    private static let usual: Set<String> = ["inbox_not_found", "tunnel_not_found", "key_missing", "otp_required"]

    private func status(of tunnel: String) async throws -> StatusAnswer {
        do {
            return StatusAnswer(inbox: try await self.inboxes.status(of: tunnel))
        } catch {
            guard Self.usual.contains(error.code) else { throw error }
            return StatusAnswer(missing: .init(code: error.code, detail: error.detail ?? error.title))
        }
    }

    private func list(_ request: Request, _ context: InspectorContext) async throws -> Response {
        let query = request.uri.queryParameters
        var state: InboxMessageState?
        if let text = query.get("state"), !text.isEmpty {
            guard let known = InboxMessageState(rawValue: text) else {
                let states = InboxMessageState.allCases.map(\.rawValue).joined(separator: " or ")
                throw ProblemDetails.inspector(400, "invalid_parameter", "“state” is \(states).")
            }
            state = known
        }
        return try Self.answer(
            try await self.inboxes.messages(
                of: try Self.tunnel(context),
                state: state,
                limit: min(200, max(1, query.get("limit").flatMap(Int.init) ?? 50)),
                before: query.get("cursor")
            )
        )
    }

    /// Sends a message to the local server, past the edge: the message itself stays what it is.
    private func send(_ request: Request, _ context: InspectorContext) async throws -> Response {
        let body = try await request.body.collect(upTo: 64 << 20)
        let change: Change
        do {
            change = try JSONDecoder().decode(Change.self, from: Data(body.readableBytesView))
        } catch {
            throw ProblemDetails.inspector(400, "malformed_body", "The body is not a call to send a message.")
        }
        let tunnel = try Self.tunnel(context)
        let copy = try await self.copy(context)
        let edit = try InspectorRoutes.edit(of: change.call(copy.message.id))
        // Refused before anything appears in the list.
        _ = try ReplayRequest(repeating: copy.view(tunnel: tunnel), edit: edit)
        let ring = self.inspection.ring
        let origin = ExchangeOrigin(tunnel: tunnel, connection: ring.nextConnection())
        guard let original = ring.add(origin, state: copy.state) else {
            throw ProblemDetails.inspector(
                413,
                "body_too_large",
                "There is no room for this message beside the requests: start culvert with a larger --inspect-memory."
            )
        }
        let view = ExchangeView(original.snapshot())
        let secret = self.inspection.settings.signingSecrets.first { $0.signs(view.request, of: tunnel) }
        let ids = try self.replays.send(
            try ReplayRequest(repeating: view, edit: edit) { body in
                secret?.fields(for: body, in: view.request, at: Int64(Date().timeIntervalSince1970)) ?? []
            },
            to: tunnel
        )
        return try InspectorJSON.answer(IDsAnswer(ids), status: .created)
    }

    /// What is changed of a message before it is sent.
    private struct Change: Decodable {
        var method: String?
        var path: String?
        var fields: [[String]]?
        var body: String?
        var bodyBase64: String?

        private enum CodingKeys: String, CodingKey {
            case method, path, fields, body
            case bodyBase64 = "body_base64"
        }

        func call(_ id: String) -> ReplayCall {
            var call = ReplayCall(id: id)
            (call.method, call.path, call.fields) = (self.method, self.path, self.fields)
            (call.body, call.bodyBase64) = (self.body, self.bodyBase64)
            return call
        }
    }

    // MARK: Parts

    private static func tunnel(_ context: InspectorContext) throws -> String { try context.parameters.require("name") }

    private static func name(_ context: InspectorContext) throws -> String {
        try context.parameters.require("message")
    }

    private func copy(_ context: InspectorContext) async throws -> InboxCopy {
        let tunnel = try Self.tunnel(context)
        return try self.copy(try await self.inboxes.content(try Self.name(context), of: tunnel), of: tunnel)
    }

    /// The request of a message as the local server of its tunnel gets it.
    private func copy(_ content: InboxMessageContent, of tunnel: String) throws -> InboxCopy {
        let directory = self.inspection.directory
        return try InboxCopy(
            content,
            host: directory.target(of: tunnel)?.hostField ?? "localhost",
            dropped: self.inspection.settings.dropped,
            now: .now()
        )
    }

    /// An answer with dates as the edge writes them.
    private static func answer(_ value: some Encodable) throws -> Response {
        Response(
            status: .ok,
            headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: try APICoding.makeEncoder().encode(value)))
        )
    }
}
