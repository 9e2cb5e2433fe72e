// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import ControlAPI
import Foundation
import HTTPTypes
import Hummingbird
import Inspection
import NIOCore
import Program

/// The calls of the inspector's API; `docs/inspector.md` describes them.
struct InspectorRoutes: Sendable {
    let inspection: TrafficInspection
    let replays: Replays

    /// The most bytes of a body in the list of ngrok's form.
    private static let rawListLimit = 16 << 10

    /// Adds the calls.
    func add(to router: Router<InspectorContext>) {
        router.get("api") { _, _ in
            try InspectorJSON.answer([
                "uri": "/api", "tunnels_uri": "/api/tunnels", "requests_uri": "/api/requests/http",
                "version": ProgramVersion.current,
            ])
        }
        router.get("api/status") { _, _ in try InspectorJSON.answer(self.status) }
        router.get("api/tunnels") { _, _ in try InspectorJSON.answer(self.tunnels) }
        router.get("api/tunnels/:name") { _, context in
            let name = try context.parameters.require("name")
            guard let tunnel = self.tunnels.tunnels.first(where: { $0.name == name }) else {
                throw ProblemDetails.inspector(404, "not_found", "No tunnel \(name) is served here.")
            }
            return try InspectorJSON.answer(tunnel)
        }
        router.get("api/requests/http") { request, _ in try self.list(request) }
        router.post("api/requests/http") { request, _ in try await self.replay(request) }
        router.delete("api/requests/http") { _, _ in
            self.inspection.ring.clear()
            return Response(status: .noContent)
        }
        router.get("api/requests/http/:id") { request, context in
            let view = try self.view(context)
            switch request.uri.queryParameters.get("fields") {
            case "summary": return try InspectorJSON.answer(ExchangeSummary(view))
            case "detail": return try InspectorJSON.answer(self.answer(view, rawLimit: nil))
            default: return try InspectorJSON.answer(self.answer(view, rawLimit: .max))
            }
        }
        router.delete("api/requests/http/:id") { _, context in
            let id = try self.view(context).exchange.id
            _ = self.replays.cancel(id)
            _ = self.inspection.ring.remove(id)
            return Response(status: .noContent)
        }
        router.get("api/requests/http/:id/frames") { request, context in
            let query = request.uri.queryParameters
            return try InspectorJSON.answer(
                FramesAnswer(
                    try self.view(context).exchange,
                    after: query.get("after").flatMap(Int.init) ?? -1,
                    limit: min(2_000, max(1, query.get("limit").flatMap(Int.init) ?? 500))
                )
            )
        }
        for side in ["request", "response"] {
            router.get("api/requests/http/:id/\(side)/body") { request, context in
                try InspectorBodies.body(try self.message(side, context), of: request)
            }
            router.get("api/requests/http/:id/\(side)/raw") { _, context in
                InspectorBodies.raw(try self.message(side, context))
            }
        }
        router.get("api/requests/http/:id/curl") { request, context in
            try self.curl(try self.view(context), request)
        }
        router.get("api/requests/har") { request, _ in try self.archive(request) }
        router.post("api/requests/har") { request, _ in try await self.importArchive(request) }
        router.get("api/openapi.json") { _, _ in
            Response(
                status: .ok,
                headers: [.contentType: "application/json"],
                body: ResponseBody(
                    byteBuffer: ByteBuffer(string: InspectorOpenAPI.document(version: ProgramVersion.current))
                )
            )
        }
        router.get("api/events") { _, _ in try InspectorEvents(routes: self).answer() }
    }

    /// What is kept, in numbers.
    var status: StatusAnswer {
        StatusAnswer(
            self.inspection.ring,
            version: ProgramVersion.current,
            startedMS: self.inspection.startedMS
        )
    }

    /// The tunnels, with their numbers of requests.
    var tunnels: TunnelsAnswer {
        let counts = self.inspection.ring.countsByTunnel
        return TunnelsAnswer(
            self.inspection.directory.answers.map { tunnel in
                var tunnel = tunnel
                tunnel.metrics.http.count = UInt64(counts[tunnel.id] ?? 0)
                return tunnel
            }
        )
    }

    // MARK: Exchanges

    /// The exchange that a call names.
    private func view(_ context: InspectorContext) throws -> ExchangeView {
        let text = try context.parameters.require("id")
        guard let exchange = CaptureID(text).flatMap(self.inspection.ring.exchange) else {
            throw ProblemDetails.inspector(
                404,
                "not_found",
                "There is no request \(text): it was cleared, or younger ones took its place."
            )
        }
        return ExchangeView(exchange.snapshot())
    }

    private func message(_ side: String, _ context: InspectorContext) throws -> InspectorBodies.Message {
        let view = try self.view(context)
        if side == "request" {
            return InspectorBodies.Message(capture: view.exchange.state.request, head: view.request)
        }
        guard let capture = view.exchange.state.response, let head = view.response else {
            throw ProblemDetails.inspector(404, "not_found", "There is no response to this request.")
        }
        return InspectorBodies.Message(capture: capture, head: head)
    }

    private func answer(_ view: ExchangeView, rawLimit: Int?) -> ExchangeAnswer {
        let id = view.exchange.id
        let replays = self.inspection.ring.exchanges.filter { $0.replayOf == id }.map(\.id).sorted(by: >)
        var answer = ExchangeAnswer(
            view,
            publicURL: self.inspection.directory.publicURL(of: view.exchange.tunnel),
            replays: replays,
            rawLimit: rawLimit
        )
        answer.signature?.isRenewed = self.signingSecret(of: view) != nil
        return answer
    }

    private func list(_ request: Request) throws -> Response {
        let query = request.uri.queryParameters
        let limit = min(10_000, max(1, query.get("limit").flatMap(Int.init) ?? 50))
        let filter = ExchangeFilter(query.get("filter") ?? "")
        let tunnel = query.get("tunnel_name").flatMap { $0.isEmpty ? nil : $0 }
        let before = query.get("before").flatMap { CaptureID($0) }
        let now = NIODeadline.now()
        let isOfSummaries = query.get("fields") == "summary"
        var summaries: [ExchangeSummary] = []
        var views: [ExchangeView] = []
        // Not by lazy collections: they make a view anew each time that they look at it.
        for exchange in self.inspection.ring.exchanges where views.count + summaries.count < limit {
            if let before, exchange.id >= before { continue }
            if let tunnel, exchange.tunnel != tunnel { continue }
            let view = ExchangeView(exchange.snapshot())
            guard filter.isEmpty || filter.matches(view, now: now) else { continue }
            // A view may have copies of its bytes, and ten thousand would be as much as the ring itself.
            if isOfSummaries { summaries.append(ExchangeSummary(view)) } else { views.append(view) }
        }
        if isOfSummaries { return InspectorJSON.answer(withLines: summaries) }
        return try InspectorJSON.answer(
            ListAnswer(
                views.map { view in
                    ExchangeAnswer(
                        view,
                        publicURL: self.inspection.directory.publicURL(of: view.exchange.tunnel),
                        rawLimit: Self.rawListLimit
                    )
                }
            )
        )
    }

    private func archive(_ request: Request) throws -> Response {
        let query = request.uri.queryParameters
        let ids = query.get("ids").map { Set($0.split(separator: ",").compactMap { CaptureID($0) }) }
        let filter = ExchangeFilter(query.get("filter") ?? "")
        let now = NIODeadline.now()
        let views = self.inspection.ring.exchanges.compactMap { exchange -> ExchangeView? in
            guard ids?.contains(exchange.id) ?? true else { return nil }
            let view = ExchangeView(exchange.snapshot())
            return filter.isEmpty || filter.matches(view, now: now) ? view : nil
        }
        let directory = self.inspection.directory
        let archive = HARLog.archive(
            views,
            version: ProgramVersion.current,
            keepsSecrets: query.get("secrets") == "keep",
            url: directory.publicURL(of:)
        )
        var response = try InspectorJSON.answer(archive)
        response.headers[.contentDisposition] = "attachment; filename=\"culvert.har\""
        return response
    }

    private func importArchive(_ request: Request) async throws -> Response {
        let body = try await request.body.collect(upTo: 64 << 20)
        let ring = self.inspection.ring
        let states = try HARImport.read(Data(body.readableBytesView), now: .now())
        let tunnels = self.inspection.directory.answers
        let tunnel = tunnels.count == 1 ? tunnels[0].id : "imported"
        let ids = states.compactMap { state in
            ring.add(ExchangeOrigin(tunnel: tunnel, connection: ring.nextConnection()), state: state)?.id
        }
        return try InspectorJSON.answer(IDsAnswer(ids), status: .created)
    }

    // MARK: Sending again

    private func replay(_ request: Request) async throws -> Response {
        let body = try await request.body.collect(upTo: 64 << 20)
        let call: ReplayCall
        do {
            call = try JSONDecoder().decode(ReplayCall.self, from: Data(body.readableBytesView))
        } catch {
            throw ProblemDetails.inspector(400, "malformed_body", "The body is not a call to send a request again.")
        }
        guard let exchange = CaptureID(call.id).flatMap(self.inspection.ring.exchange) else {
            throw ProblemDetails.inspector(404, "not_found", "There is no request \(call.id).")
        }
        let (times, concurrency) = (call.times ?? 1, call.concurrency ?? 1)
        guard (1...100).contains(times), (1...10).contains(concurrency) else {
            throw ProblemDetails.inspector(
                400,
                "malformed_body",
                "“times” is a number from 1 to 100, and “concurrency” one from 1 to 10."
            )
        }
        let edit = try Self.edit(of: call)
        let view = ExchangeView(exchange.snapshot())
        let ids = try self.replays.send(
            try ReplayRequest(repeating: view, edit: edit, sign: self.signing(view)),
            to: call.tunnelName.flatMap { $0.isEmpty ? nil : $0 } ?? self.tunnel(of: view),
            times: times,
            concurrency: concurrency
        )
        // Who knows ngrok's API alone gets ngrok's answer.
        if edit.isEmpty, call.times == nil, let id = ids.first {
            return Response(status: .noContent, headers: [.culvertReplays: id.description])
        }
        return try InspectorJSON.answer(IDsAnswer(ids), status: .created)
    }

    /// The tunnel that an exchange came through, if that is served still or was never served here.
    private func tunnel(of view: ExchangeView) -> String? {
        let name = view.exchange.tunnel
        if view.exchange.isImported, self.inspection.directory.target(of: name) == nil { return nil }
        return name
    }

    /// The secret by which the sender of a request has signed it.
    private func signingSecret(of view: ExchangeView) -> SigningSecret? {
        self.inspection.settings.signingSecrets.first { $0.signs(view.request, of: view.exchange.tunnel) }
    }

    private func signing(_ view: ExchangeView) -> (([UInt8]) -> [HeadText.Field])? {
        guard let secret = self.signingSecret(of: view) else { return nil }
        return { secret.fields(for: $0, in: view.request, at: Int64(Date().timeIntervalSince1970)) }
    }

    /// What a call changes of the request that it repeats.
    static func edit(of call: ReplayCall) throws -> ReplayEdit {
        var edit = ReplayEdit(method: call.method, target: call.path)
        edit.fields = try call.fields?.map { pair in
            guard pair.count == 2 else {
                throw ProblemDetails.inspector(400, "malformed_body", "“fields” is a list of pairs of name and value.")
            }
            return HeadText.Field(pair[0], pair[1])
        }
        if let text = call.body { edit.body = Array(text.utf8) }
        if let base64 = call.bodyBase64 {
            guard call.body == nil, let data = Data(base64Encoded: base64) else {
                throw ProblemDetails.inspector(
                    400,
                    "malformed_body",
                    "“body_base64” is a text of base64, and stands for “body”."
                )
            }
            edit.body = Array(data)
        }
        return edit
    }

    private func curl(_ view: ExchangeView, _ request: Request) throws -> Response {
        let query = request.uri.queryParameters
        let tunnel = view.exchange.tunnel
        var base = self.inspection.directory.target(of: tunnel).map { "\($0)" } ?? "http://localhost"
        var socketPath: String?
        if query.get("target") == "public", let url = self.inspection.directory.publicURL(of: tunnel) {
            base = url.hasSuffix("/") ? String(url.dropLast()) : url
        } else if base.hasPrefix("unix:") {
            socketPath = String(base.dropFirst(5))
            base = "http://localhost"
        }
        let command = CurlCommand(
            view,
            base: base,
            socketPath: socketPath,
            sendsHost: query.get("target") != "public",
            showsSecrets: query.get("secrets") == "keep"
        )
        return Response(
            status: .ok,
            headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: command.text + "\n"))
        )
    }
}
