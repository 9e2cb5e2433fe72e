// SPDX-License-Identifier: Apache-2.0
import HTTP1
import HTTPTypes
import NIOCore

/// Answers a request with what the edge itself has to say.
final class EdgeAnswer: Responder {
    /// What is said.
    enum Content {
        /// An error, and what is known of it beyond its code; `retryAfter` in seconds, `challenge` the value of
        /// `WWW-Authenticate`.
        case error(VisitorError, detail: String? = nil, retryAfter: Int? = nil, challenge: String? = nil)
        /// The visitor is to go elsewhere for good: the bytes are those of `Location`.
        case redirect(ByteBuffer)
        /// The browser is to go on elsewhere this time: the bytes are those of `Location`.
        case lead(ByteBuffer, setCookie: String? = nil)
        /// The request may be for one of several tunnels: the paths under which each has it.
        case ambiguous([String])
        /// An answer of the control API.
        ///
        /// - Parameter isLast: Whether the connection is closed after it, whatever the visitor wants.
        case whole(HTTPResponse, ByteBuffer, isLast: Bool)
    }

    private let request: IncomingRequest
    private let content: Content
    private let isHTML: Bool

    /// - Parameters:
    ///   - request: The request.
    ///   - content: What is said.
    ///   - isHTML: Whether an error is shown as a page; `nil` if the request's `Accept` says so.
    init(_ request: IncomingRequest, _ content: Content, isHTML: Bool? = nil) {
        self.request = request
        self.content = content
        switch content {
        case .error, .ambiguous: self.isHTML = isHTML ?? request.prefersHTML
        case .redirect, .lead, .whole: self.isHTML = false
        }
    }

    let turn = Turn.neither

    /// The error that it tells, if it tells one.
    var error: VisitorError? {
        if case .error(let error, _, _, _) = self.content { error } else { nil }
    }

    func begin(_ sink: any ResponseSink) {
        switch self.content {
        case .error(let error, let detail, let retryAfter, let challenge):
            self.fail(error, detail: detail, retryAfter: retryAfter, challenge: challenge, sink)
        case .ambiguous(let paths): self.fail(.tunnelAmbiguous, links: paths, sink)
        case .redirect(let location): self.sendRedirect(to: location, status: 308, sink) { _ in }
        case .lead(let location, let setCookie):
            self.sendRedirect(to: location, status: 307, sink) { head in
                // It depends on who asks, and holds this once.
                head.field("Cache-Control", "no-store")
                head.field("Vary", "Cookie, Origin, Referer, Sec-Fetch-Dest, Sec-Fetch-Mode, Sec-Fetch-Site")
                if let setCookie { head.field("Set-Cookie", setCookie) }
            }
        case .whole(let response, let body, let isLast):
            self.send(
                self.bytes(response, body, isClosing: self.isClosing(sink, isFault: isLast)),
                response.status.code,
                sink
            )
        }
        self.request.finish()
        sink.end()
    }

    private func fail(
        _ error: VisitorError,
        detail: String? = nil,
        links: [String] = [],
        retryAfter: Int? = nil,
        challenge: String? = nil,
        _ sink: any ResponseSink
    ) {
        let status = error.status(self.request.services.settings.statusMap)
        let page = ErrorPage(
            error: error,
            status: status,
            requestID: self.request.id,
            detail: detail,
            links: links,
            retryAfter: retryAfter ?? (status == 503 ? 1 : nil),
            challenge: challenge,
            date: self.request.services.date
        )
        let isClosing = self.isClosing(sink, isFault: error.endsConnection)
        self.request.failed(error)
        let isHead = self.request.traits.isHead
        self.send(page.response(isHTML: self.isHTML, isHead: isHead, isClosing: isClosing), status, sink)
    }

    private func sendRedirect(
        to location: ByteBuffer,
        status: Int,
        _ sink: any ResponseSink,
        _ writeFields: (inout HeadWriter) -> Void
    ) {
        let isClosing = self.isClosing(sink)
        let bytes = HeadWriter.response(status: status, room: location.readableBytes + 512) { head in
            // Proxies in front may have cut off a prefix.
            head.field("Location") {
                $0.text(self.request.visitor.prefix)
                $0.buffer(location)
            }
            writeFields(&head)
            if let date = self.request.services.date { head.field("Date", date.write) }
            head.field("Content-Length", "0")
            if isClosing { head.field("Connection", "close") }
        }
        self.send(bytes, status, sink)
    }

    private func isClosing(_ sink: any ResponseSink, isFault: Bool = false) -> Bool {
        sink.decide(VisitorConnectionState.Answer(author: .edge, isFault: isFault)) == .close
    }

    private func send(_ bytes: ByteBuffer, _ status: Int, _ sink: any ResponseSink) {
        self.request.answered(bytes, status: status, isFinal: true)
        sink.head(bytes)
    }

    private func bytes(_ response: HTTPResponse, _ body: ByteBuffer, isClosing: Bool) -> ByteBuffer {
        let status = response.status
        let date = response.headerFields[.date] == nil ? self.request.services.date : nil
        let reason = status.reasonPhrase.isEmpty ? nil : status.reasonPhrase
        var output = HeadWriter.response(status: status.code, reason: reason) { head in
            if let date { head.field("Date", date.write) }
            for field in response.headerFields { head.field(named: field.name.rawName, field.value) }
            if status != .noContent, response.headerFields[.contentLength] == nil {
                head.field("Content-Length") { $0.decimal(body.readableBytes) }
            }
            if isClosing { head.field("Connection", "close") }
        }
        self.request.sent(body)
        if !self.request.traits.isHead { output.writeImmutableBuffer(body) }
        return output
    }

    func deadlinePassed(_ kind: ConnectionDeadlines.Kind) {}

    func visitorLeft(isBroken: Bool) {
        self.request.finish()
    }
}
