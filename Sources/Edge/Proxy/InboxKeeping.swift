// SPDX-License-Identifier: Apache-2.0
import ControlAPI
import EdgeInbox
import HTTP1
import HTTPTypes
import NIOCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Keeps a request in its tunnel's inbox, and answers it once it is kept for good.
final class InboxKeeping: Responder, Refuge {
    private let request: IncomingRequest
    private let inbox: TunnelInbox
    private let head: MessageHead
    private let body: ByteBuffer
    private let verified: Bool?
    private let handshake: String?
    private var sink: (any ResponseSink)?

    /// - Parameters:
    ///   - request: The request.
    ///   - inbox: Where it is kept.
    ///   - head: Its head.
    ///   - body: Its body, without the framing of its chunks.
    ///   - verified: Whether its signature was right; `nil` if none was checked.
    ///   - handshake: What it is answered with, if it is a handshake.
    init(
        _ request: IncomingRequest,
        _ inbox: TunnelInbox,
        _ head: MessageHead,
        _ body: ByteBuffer,
        verified: Bool?,
        handshake: String?
    ) {
        self.request = request
        self.inbox = inbox
        self.head = head
        self.body = body
        self.verified = verified
        self.handshake = handshake
    }

    let turn = Turn.neither
    var heldBytes: Int { self.body.readableBytes + self.head.bytes.count }

    func takeIn(_ error: VisitorError) -> (any Responder)? { self }

    func begin(_ sink: any ResponseSink) {
        self.sink = sink
        let bytes = Array(self.body.readableBytesView)
        if let value = self.handshake ?? self.inbox.rules.echo(inBody: bytes) {
            return self.answer(200, "text/plain; charset=utf-8", value)
        }
        let message = NewMessage(receivedAt: Date(), head: self.head, body: bytes, verified: self.verified)
        let bound = NIOLoopBound(self, eventLoop: self.request.eventLoop)
        self.request.eventLoop.makeFutureWithTask { [inbox = self.inbox] () -> InboxStoreError? in
            do throws(InboxStoreError) {
                try await inbox.keep(message)
                return nil
            } catch {
                return error
            }
        }
        .whenSuccess { bound.value.kept(message, $0) }
    }

    private func kept(_ message: NewMessage, _ error: InboxStoreError?) {
        switch error {
        case nil:
            let settings = self.inbox.settings.answer
            let body = settings.body ?? #"{"stored":true,"id":"\#(message.id)"}"#
            self.answer(settings.status, settings.contentType, body, id: message.id)
        case .full: self.refuse(.inboxFull, retryAfter: 60)
        case .noInbox, .failed: self.refuse(.inboxUnavailable, retryAfter: 5)
        }
    }

    private func answer(_ status: Int, _ contentType: String, _ body: String, id: String? = nil) {
        guard let sink = self.sink.take() else { return }
        let reason = [200: "OK", 201: "Created", 202: "Accepted", 204: "No Content"][status] ?? ""
        var response = HTTPResponse(status: HTTPResponse.Status(code: status, reasonPhrase: reason))
        response.headerFields[.contentType] = contentType
        response.headerFields[.cacheControl] = "no-store"
        if let id { response.headerFields[.culvertInbox] = id }
        // These have no content (RFC 9110 §15.3.5, §15.3.6).
        let content = ByteBuffer(string: status == 204 || status == 205 ? "" : body)
        sink.handOver(to: EdgeAnswer(self.request, .whole(response, content, isLast: false)))
    }

    private func refuse(_ error: VisitorError, retryAfter: Int? = nil) {
        self.sink.take()?.handOver(to: EdgeAnswer(self.request, .error(error, retryAfter: retryAfter)))
    }

    func giveWay(_ error: VisitorError, detail: String) {
        self.sink.take()?.handOver(to: EdgeAnswer(self.request, .error(error, detail: detail)))
    }

    func deadlinePassed(_ kind: ConnectionDeadlines.Kind) {}

    func visitorLeft(isBroken: Bool) {
        self.sink = nil
        self.request.finish()
    }
}

extension HTTPField.Name {
    /// `Culvert-Inbox`: the id of a message of an inbox.
    // The initialiser fails for names that are not tokens (RFC 9110 §5.6.2); this is one.
    // swift-format-ignore: NeverForceUnwrap
    static let culvertInbox = HTTPField.Name("Culvert-Inbox")!
}
