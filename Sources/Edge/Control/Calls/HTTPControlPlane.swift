// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeInbox
import EdgeTunnels
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The control API on Hummingbird's router, without its server: the edge's own listener hands it whole requests.
package struct HTTPControlPlane: ControlPlane {
    /// The calls that there are, for the documents and the tests that have to cover each.
    let routes: RouteTable
    /// Lets callers in.
    let credentials: CredentialMiddleware
    /// What was done lately.
    let trail = AuditTrail()
    private let responder: RouterResponder<ControlContext>
    private let limits: APILimits
    private let logger: Logger

    /// Builds the router.
    ///
    /// - Parameters:
    ///   - registry: The tunnels.
    ///   - keys: The API keys.
    ///   - tokens: Issues tunnel tokens.
    ///   - limits: The limits of the API.
    ///   - directory: Where it is known which one-time codes were used.
    ///   - settings: What the API is set to.
    ///   - policySchema: What the policy of a tunnel may say; the edge's own bounds come on top.
    ///   - ports: Has the ports of tunnels of TCP.
    ///   - inboxes: The webhook inboxes; `nil` if the edge has none.
    ///   - logger: Where calls and failures are logged.
    ///   - now: The clock.
    package init(
        registry: any TunnelRegistry,
        keys: APIKeyStore,
        tokens: TunnelTokens,
        limits: APILimits,
        directory: (any TunnelDirectory)? = nil,
        settings: LiveSettings,
        policySchema: PolicySchema = .tunnel,
        ports: any PortKeeper = NoPorts(),
        inboxes: InboxDesk? = nil,
        logger: Logger,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        let router = Router(context: ControlContext.self, options: [.autoGenerateHeadEndpoints])
        let api = router.group("api")
        api.get("openapi.json") { _, _ in
            let document = OpenAPIDocument.json(policy: settings.current.bounded(policySchema))
            return Response(
                status: .ok,
                headers: [.contentType: "application/json"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: document))
            )
        }
        let credentials = CredentialMiddleware(
            keys: keys,
            codes: OneTimePasswordGuard(directory: directory),
            limits: limits,
            now: now
        )
        let routes = TunnelRoutes(
            registry: registry,
            tokens: tokens,
            limits: limits,
            liveSettings: settings,
            policySchema: policySchema,
            ports: ports,
            inboxes: inboxes,
            now: now
        )
        routes.add(to: api.group("tunnels").add(middleware: credentials))
        AccessRoutes(tunnels: routes)
            .add(to: api.group("tunnels").add(middleware: credentials))
        InboxRoutes(tunnels: routes, desk: inboxes).add(to: api.group("tunnels").add(middleware: credentials))
        RenewalRoute(tunnels: routes, keys: keys)
            .add(to: api.group("tunnels").add(middleware: RenewalMiddleware(credentials: credentials)))
        self.credentials = credentials
        self.responder = router.buildResponder()
        self.routes = RouteTable(router.routes.map { ($0.method, $0.path.description) })
        self.limits = limits
        self.logger = logger
    }

    package var maximumBodyLength: Int { JSONBody.maximumLength }

    package func respond(
        to request: HTTPRequest,
        body: ByteBuffer,
        remoteAddress: SocketAddress?,
        requestID: EdgeTunnels.RequestID
    ) async -> (HTTPResponse, ByteBuffer) {
        await self.respond(to: request, body: body, remoteAddress: remoteAddress, requestID: requestID, by: nil)
    }

    /// Answers a call.
    ///
    /// - Parameter principal: Who makes it, where that is known already.
    func respond(
        to request: HTTPRequest,
        body: ByteBuffer,
        remoteAddress: SocketAddress?,
        requestID: EdgeTunnels.RequestID,
        by principal: Principal?
    ) async -> (HTTPResponse, ByteBuffer) {
        await self.answer(request, body: body, remoteAddress: remoteAddress, requestID: requestID, by: principal) {
            // The listener does not read on where a body is too large, so that what it has is not to be acted upon.
            let announced = request.headerFields[.contentLength].flatMap { Int($0) } ?? 0
            guard max(announced, body.readableBytes) <= JSONBody.maximumLength else {
                throw Problem.bodyTooLarge(limit: JSONBody.maximumLength)
            }
            try self.routes.check(request)
            return try await self.responder.respond(
                to: Request(head: request, body: RequestBody(buffer: body)),
                context: ControlContext(source: $0)
            )
        }
    }

    /// Answers a call by what the body says, writes problems, and the line of the audit log.
    func answer(
        _ request: HTTPRequest,
        body: ByteBuffer,
        remoteAddress: SocketAddress?,
        requestID: EdgeTunnels.RequestID,
        by principal: Principal?,
        _ work: (ControlContextSource) async throws -> Response
    ) async -> (HTTPResponse, ByteBuffer) {
        var logger = self.logger
        logger[metadataKey: "request_id"] = "\(requestID)"
        let audit = AuditRecord()
        let source = ControlContextSource(
            logger: logger,
            remoteAddress: remoteAddress,
            requestID: requestID,
            audit: audit,
            principal: principal
        )
        var response: Response
        do {
            response = try await work(source)
        } catch {
            response = self.response(to: error, requestID: requestID, logger: logger)
        }
        audit.write(
            to: logger,
            method: request.method,
            path: request.path ?? "",
            remoteAddress: remoteAddress,
            status: response.status,
            code: response.headers[.culvertError]
        )
        self.trail.note(audit, request, from: remoteAddress, status: response.status)
        if response.headers[.cacheControl] == nil { response.headers[.cacheControl] = "no-store" }
        response.headers[.culvertRequestID] = requestID.description
        let answer = await Self.collect(response)
        guard request.method == .head else { return answer }
        return (answer.0, ByteBuffer())
    }

    /// The answer to a call that failed.
    private func response(to error: any Error, requestID: EdgeTunnels.RequestID, logger: Logger) -> Response {
        let problem: Problem
        switch error {
        case let known as Problem:
            problem = known
        default:
            logger.error("A call of the control API failed", metadata: ["error": "\(String(reflecting: error))"])
            problem = .internalError
        }
        // Encoding a few strings does not fail; an empty body with the right status is what remains if it does.
        let body = (try? APICoding.makeEncoder().encode(problem.details(requestID: requestID))) ?? Data()
        var headers = problem.headerFields
        headers[.contentType] = ProblemDetails.mediaType
        headers[.culvertError] = problem.code
        if case .rateLimited(_, let limit) = problem { headers[.rateLimitPolicy] = self.limits.policyField(of: limit) }
        return Response(
            status: problem.status,
            headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: body))
        )
    }

    /// Turns a response into what the listener writes.
    static func collect(_ response: Response) async -> (HTTPResponse, ByteBuffer) {
        let sink = BodySink()
        // The sink does not throw, and neither do the bodies that our calls make.
        try? await response.body.write(sink)
        var head = response.head
        // The answer to HEAD has the length that the one to GET would have (RFC 9110 §8.6).
        if response.status != .noContent, sink.buffer.readableBytes > 0 || head.headerFields[.contentLength] == nil {
            head.headerFields[.contentLength] = String(sink.buffer.readableBytes)
        }
        return (head, sink.buffer)
    }
}

/// Collects the body of a response.
private final class BodySink: ResponseBodyWriter {
    private(set) var buffer = ByteBuffer()

    func write(_ buffer: ByteBuffer) async throws {
        self.buffer.writeImmutableBuffer(buffer)
    }

    func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
