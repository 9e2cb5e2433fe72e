// SPDX-License-Identifier: Apache-2.0
import HTTPTypes
import Mux
import NIOCore
import Protocol

extension VisitorHandler {
    /// A call to the control API whose body is being read.
    struct ControlCall {
        var head: RequestHead
        var body: BodyReader
        var collected = ByteBuffer()
    }

    /// A whole head has come: finds out where it goes.
    func begin(_ head: RequestHead) {
        let section = head.section
        let record = RequestRecord(
            started: .now(),
            method: head.methodText,
            target: head.targetText,
            visitor: self.services.trust.visitor(section, socketAddress: self.context?.channel.remoteAddress),
            traceparent: section.first(.traceparent)
        )
        self.services.accessLog.started()
        self.record = record
        switch self.services.router.route(head) {
        case .tunnel(let id, let prefixLength):
            guard let tunnel = self.services.registry.tunnel(id) else {
                return self.awaitTunnel(id, head, record: record, prefixLength: prefixLength)
            }
            self.enter(tunnel, head, record: record, prefixLength: prefixLength)
        case .missingSlash(let id): self.redirect(head, to: id)
        case .controlPlane: self.beginControlCall(head)
        case .connect(let id): self.connect(head, tunnelID: id)
        case .none: self.refuse(head, .tunnelNotFound)
        case .refused(let reason): self.refuse(head, .badRequest, detail: reason)
        }
    }

    /// Begins the exchange if the tunnel's policy admits the visitor.
    func enter(_ tunnel: Tunnel, _ head: RequestHead, record: RequestRecord, prefixLength: Int) {
        let decision = tunnel.admit(
            address: record.visitor.address,
            authorization: head.section.values(.authorization)
        )
        self.proceed(decision, tunnel, head, record: record, prefixLength: prefixLength)
    }

    /// Does what was decided on a request.
    func proceed(
        _ decision: VisitorDecision,
        _ tunnel: Tunnel,
        _ head: RequestHead,
        record: RequestRecord,
        prefixLength: Int
    ) {
        switch decision {
        case .admit(let stripsAuthorization):
            self.record = nil
            self.beginExchange(
                head,
                record: record,
                tunnel: tunnel,
                prefixLength: prefixLength,
                dropsAuthorization: stripsAuthorization
            )
        case .addressDenied: self.refuse(head, .accessDenied)
        case .compare(let attempt):
            self.compare(attempt, for: tunnel, head, record: record, prefixLength: prefixLength)
        case .credentialsRequired:
            // In path mode tunnels share an origin, so that the realm is what keeps their passwords apart.
            self.refuse(head, .loginRequired, challenge: "Basic realm=\"\(tunnel.id)\", charset=\"UTF-8\"")
        case .rateLimited(let retryAfter): self.refuse(head, .rateLimited, retryAfter: retryAfter)
        }
    }

    // MARK: Answers of the edge

    /// Answers a request whose head could not be read.
    func refuseHead(_ fault: HTTPFault) {
        let error: VisitorError =
            switch fault.kind {
            case .malformed: .badRequest
            case .headTooLarge: .headerTooLarge
            case .unsupportedVersion: .versionNotSupported
            }
        let detail = "\(fault.reason.prefix(1).uppercased())\(fault.reason.dropFirst())."
        self.refuse(error, detail: detail, isHTML: fault.kind == .headTooLarge && self.isFromBrowser)
    }

    /// Whether what came of a head that is too long shows that a browser sent it: too many cookies bring people here.
    private var isFromBrowser: Bool {
        let lines = String(buffer: self.inbound).asciiLowercased().split(separator: "\r\n")
        return ErrorPage.prefersHTML(accept: lines.filter { $0.hasPrefix("accept:") }.map { String($0.dropFirst(7)) })
    }

    /// Answers and closes: what follows on the connection can't be understood, or won't be read.
    func refuse(_ error: VisitorError, detail: String?, isHTML: Bool = false) {
        var record =
            self.record
            ?? RequestRecord(
                started: .now(),
                method: "-",
                target: "-",
                visitor: Visitor(
                    address: IPAddress(self.context?.channel.remoteAddress),
                    scheme: "http",
                    host: ""
                )
            )
        if self.record == nil { self.services.accessLog.started() }
        self.record = nil
        self.writeError(error, detail: detail, record: &record, isHTML: isHTML, isHead: false, isClosing: true)
        record.finish(in: self.services.accessLog)
        self.closeSoon()
    }

    /// Answers a request whose head is fine; the connection is kept if no body follows.
    func refuse(
        _ head: RequestHead,
        _ error: VisitorError,
        detail: String? = nil,
        retryAfter: Int? = nil,
        challenge: String? = nil
    ) {
        guard var record = self.record.take() else { return }
        let isClosing = !head.outlivesEdgeAnswer || error == .badRequest
        self.writeError(
            error,
            detail: detail,
            record: &record,
            isHTML: ErrorPage.prefersHTML(accept: head.section.values(.accept)),
            isHead: head.isHead,
            isClosing: isClosing,
            retryAfter: retryAfter,
            challenge: challenge
        )
        record.finish(in: self.services.accessLog)
        if isClosing { self.closeSoon() } else { self.awaitNextRequest() }
    }

    func writeError(
        _ error: VisitorError,
        detail: String?,
        record: inout RequestRecord,
        isHTML: Bool,
        isHead: Bool,
        isClosing: Bool,
        retryAfter: Int? = nil,
        challenge: String? = nil
    ) {
        let status = error.status(self.services.http.statusMap)
        record.status = status
        record.error = error
        let page = ErrorPage(
            error: error,
            status: status,
            requestID: record.requestID,
            detail: detail,
            retryAfter: retryAfter ?? (status == 503 ? 1 : nil),
            challenge: challenge
        )
        self.write(page.response(isHTML: isHTML, isHead: isHead, isClosing: isClosing))
        self.flushIfNeeded()
    }

    /// `/<id>` answers with `/<id>/`, since relative references would lose the last segment otherwise.
    private func redirect(_ head: RequestHead, to id: TunnelID) {
        guard var record = self.record.take() else { return }
        let isClosing = !head.outlivesEdgeAnswer
        record.status = 308
        var output = ByteBuffer(string: "HTTP/1.1 308 \(ErrorPage.reason(308))\r\nLocation: /\(id)/")
        // The query as it came, be it UTF-8 or not.
        let path = 1 + id.description.utf8.count
        head.section.copy(
            FieldLine.Span(start: Int(head.target.start) + path, count: Int(head.target.count) - path),
            to: &output
        )
        output.writeString("\r\nContent-Length: 0\r\n\(isClosing ? "Connection: close\r\n" : "")\r\n")
        self.write(output)
        record.finish(in: self.services.accessLog)
        if isClosing { self.closeSoon() } else { self.awaitNextRequest() }
    }

    // MARK: The control API

    private func beginControlCall(_ head: RequestHead) {
        if case .length(let length) = head.framing, length > UInt64(JSONBody.maximumLength) {
            return self.callControlPlane(ControlCall(head: head, body: BodyReader(head.framing)), isComplete: false)
        }
        if head.version == .http11, head.framing != .none, head.section.tokens(.expect).contains("100-continue") {
            self.write(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n"))
            self.flushIfNeeded()
        }
        let call = ControlCall(head: head, body: BodyReader(head.framing))
        self.phase = .collecting(call)
        self.setDeadline(.body)
        if call.body.isComplete { _ = self.collect(call) }
    }

    /// Whether the body is complete.
    func collect(_ call: ControlCall) -> Bool {
        var call = call
        do {
            while let bytes = try call.body.read(&self.inbound, contentOnly: true) {
                call.collected.writeImmutableBuffer(bytes)
                // What is too large is refused by the control plane, which also writes the audit log; the rest is not
                // read.
                guard call.collected.readableBytes <= JSONBody.maximumLength else {
                    self.callControlPlane(call, isComplete: false)
                    return false
                }
            }
        } catch {
            self.refuseHead(error)
            return false
        }
        guard call.body.isComplete else {
            self.phase = .collecting(call)
            return false
        }
        self.callControlPlane(call)
        return true
    }

    private func callControlPlane(_ call: ControlCall, isComplete: Bool = true) {
        guard let context, let record = self.record else { return }
        self.phase = .answering
        self.cancelDeadline()
        var request = HTTPRequest(
            method: HTTPRequest.Method(call.head.methodText) ?? .get,
            scheme: record.visitor.scheme,
            authority: call.head.section.first(.host),
            path: call.head.targetText
        )
        for field in call.head.section.textFields {
            guard let name = HTTPField.Name(field.name) else { continue }
            request.headerFields.append(HTTPField(name: name, value: field.value))
        }
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        let (controlPlane, remoteAddress) = (self.services.controlPlane, self.callerAddress)
        let isKeepAlive = call.head.isKeepAlive && call.head.version == .http11 && isComplete
        let isHead = call.head.isHead
        context.eventLoop.makeFutureWithTask { [request, body = call.collected] in
            await controlPlane.respond(
                to: request,
                body: body,
                remoteAddress: remoteAddress,
                requestID: record.requestID
            )
        }
        .whenSuccess { response, body in
            handler.value.answer(response, body, isKeepAlive: isKeepAlive, isHead: isHead)
        }
    }

    /// The visitor's address, as trusted proxies tell it.
    private var callerAddress: SocketAddress? {
        guard let record, let address = record.visitor.address else { return self.context?.channel.remoteAddress }
        return (try? SocketAddress(packedIPAddress: ByteBuffer(bytes: address.bytes), port: 0))
            ?? self.context?.channel.remoteAddress
    }

    private func answer(_ response: HTTPResponse, _ body: ByteBuffer, isKeepAlive: Bool, isHead: Bool) {
        guard case .answering = self.phase, var record = self.record.take() else { return }
        record.status = response.status.code
        record.sent = body.readableBytes
        var output = ByteBuffer()
        let status = response.status
        output.writeString("HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\n")
        var hasLength = status.code == 204
        for field in response.headerFields {
            if field.name == .contentLength { hasLength = true }
            output.writeString("\(field.name.rawName): \(field.value)\r\n")
        }
        if !hasLength { output.writeString("Content-Length: \(body.readableBytes)\r\n") }
        output.writeString(isKeepAlive ? "\r\n" : "Connection: close\r\n\r\n")
        if !isHead { output.writeImmutableBuffer(body) }
        self.write(output)
        record.finish(in: self.services.accessLog)
        if isKeepAlive { self.awaitNextRequest() } else { self.closeSoon() }
    }

    // MARK: Connectors

    private func connect(_ head: RequestHead, tunnelID: String) {
        guard let context, let record = self.record else { return }
        let method = HTTPRequest.Method(head.methodText) ?? .get
        guard method != .get || head.framing == .none else {
            return self.refuse(head, .badRequest, detail: "An upgrade of a connector has no body.")
        }
        self.phase = .answering
        let isHead = head.isHead
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        let (endpoint, remoteAddress) = (self.services.connectEndpoint, self.callerAddress)
        context.eventLoop.makeFutureWithTask { [fields = head.section.textFields] in
            await endpoint.decide(
                method: method,
                tunnelID: tunnelID,
                fields: fields,
                remoteAddress: remoteAddress,
                requestID: record.requestID
            )
        }
        .whenSuccess { decision in
            switch decision {
            case .refuse(let response, let body):
                handler.value.answer(response, body, isKeepAlive: false, isHead: isHead)
            case .accept(let fields, let makeHandler):
                handler.value.upgrade(fields, makeHandler)
            }
        }
    }

    /// Makes way for the session that speaks over this connection from now on.
    private func upgrade(
        _ fields: [(name: String, value: String)],
        _ makeHandler: (any Channel) -> any ChannelHandler
    ) {
        guard case .answering = self.phase, let context, var record = self.record.take() else { return }
        var output = ByteBuffer(string: "HTTP/1.1 101 Switching Protocols\r\n")
        for field in fields { output.writeString("\(field.name): \(field.value)\r\n") }
        output.writeStaticString("\r\n")
        self.write(output)
        self.flushIfNeeded()
        record.status = 101
        record.finish(in: self.services.accessLog)
        self.phase = .closed
        self.cancelDeadline()
        let leftover = self.inbound
        do {
            let pipeline = context.pipeline.syncOperations
            // The protocol's own keepalive and limits apply from here on; reading never pauses (§B.7.1).
            try context.channel.syncOptions?.setOption(ChannelOptions.autoRead, value: true)
            try pipeline.addHandler(makeHandler(context.channel), position: .after(self))
            if leftover.readableBytes > 0 {
                context.fireChannelRead(self.wrapInboundOut(leftover))
                context.fireChannelReadComplete()
            }
            pipeline.removeHandler(self, promise: nil)
        } catch {
            context.close(promise: nil)
        }
    }
}
