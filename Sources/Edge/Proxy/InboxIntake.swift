// SPDX-License-Identifier: Apache-2.0
import ControlAPI
import EdgeInbox
import EdgeTunnels
import HTTP1
import NIOCore

/// A request that its tunnel's inbox may keep: its body is read whole before anybody else sees the request, so that it is
/// still there if nobody can take it.
///
/// One that turns out to be longer than what is kept goes on as if there were no inbox.
final class InboxIntake: Responder {
    private let visit: TunnelVisit
    private let inbox: TunnelInbox
    private let plan: ExchangePlan
    private var outgoing: SentRequest
    private let kept: MessageHead
    private let handshake: String?
    /// The body as it came, with the framing of its chunks.
    private var body: [ByteBuffer] = []
    private var bodyBytes = 0
    private var sink: (any ResponseSink)?

    /// - Parameters:
    ///   - visit: The request.
    ///   - inbox: The tunnel's inbox.
    ///   - plan: How the request is sent.
    ///   - outgoing: What is sent.
    ///   - dropsAuthorization: Whether `Authorization` was for the edge.
    /// - Returns: `nil` for a request that the inbox is not for.
    init?(
        _ visit: TunnelVisit,
        _ inbox: TunnelInbox,
        _ plan: ExchangePlan,
        _ outgoing: SentRequest,
        dropsAuthorization: Bool
    ) {
        let head = visit.head
        // Nothing else would be the same request later, or to somebody else.
        guard !head.isUpgrade, !head.section.contains(.trailer) else { return nil }
        var prefix = 0
        if case .prefix(let length) = visit.entry { prefix = length }
        let target = head.targetText
        var seen = String(target.utf8.dropFirst(prefix)) ?? target
        if !seen.hasPrefix("/") { seen = "/" + seen }
        switch inbox.rules.verdict(method: head.methodText, target: seen) {
        case .pass: return nil
        case .keep: self.handshake = nil
        case .echo(let value): self.handshake = value
        }
        self.visit = visit
        self.inbox = inbox
        self.plan = plan
        self.outgoing = outgoing
        let remote = visit.request.remoteAddress
        self.kept = MessageHead(
            method: head.methodText,
            target: seen,
            bytes: Array(head.section.bytes.readableBytesView),
            prefixLength: prefix,
            address: remote?.ipAddress,
            port: remote?.port ?? 0,
            dropsAuthorization: dropsAuthorization
        )
    }

    private var request: IncomingRequest { self.visit.request }
    private var maximumBody: Int { self.inbox.settings.keep.bodyBytes }

    func begin(_ sink: any ResponseSink) {
        self.sink = sink
        guard self.request.traits.hasBody else { return self.complete() }
        if case .length(let length) = self.visit.head.framing, length > UInt64(self.maximumBody) {
            return self.passOn(with: BodyTooLarge(self.request, self.inbox))
        }
        if self.request.traits.expectsContinue {
            sink.head(HeadWriter.response(status: 100))
            sink.flush()
        }
    }

    var appetite: Int { self.sink == nil ? 0 : self.maximumBody + 1 }
    let turn = Turn.visitorAtOnce
    var heldBytes: Int { self.outgoing.heldBytes + self.bodyBytes + self.kept.bytes.count }

    func received(_ bytes: ByteBuffer) {
        // What was read with it is not to be held as long.
        let isWasteful = bytes.storageCapacity > 2 * bytes.readableBytes + 1_024
        let part = isWasteful ? ByteBuffer(bytes: bytes.readableBytesView) : bytes
        self.body.append(part)
        self.bodyBytes += part.readableBytes
        self.request.received(bytes)
        self.outgoing.sent(part)
        // The framing of chunks comes on top of what may be kept; it is a few bytes each.
        guard self.bodyBytes > self.maximumBody + self.maximumBody / 8 + 64 else { return }
        self.passOn(with: BodyTooLarge(self.request, self.inbox))
    }

    func receivedEnd() {
        self.request.receivedEnd()
        self.outgoing.complete()
        self.complete()
    }

    func bodyFailed(_ fault: HTTPFault) {
        self.answer(.badRequest, detail: "The body's \(fault.reason).")
    }

    func giveWay(_ error: VisitorError, detail: String) {
        self.answer(error, detail: detail)
    }

    func gaveWay(_ ticket: VisitorTicket) {
        if self.request.ticket == ticket { self.answer(.tooManyFromVisitor) }
    }

    func deadlinePassed(_ kind: ConnectionDeadlines.Kind) {
        self.answer(.requestTimeout)
    }

    func visitorLeft(isBroken: Bool) {
        self.sink = nil
        self.request.finish()
    }

    private func answer(_ error: VisitorError, detail: String? = nil) {
        self.sink.take()?.handOver(to: EdgeAnswer(self.request, .error(error, detail: detail)))
    }

    // MARK: What becomes of it

    private func complete() {
        guard let content = self.content() else {
            return self.answer(.badRequest, detail: "The body's chunks can't be read.")
        }
        guard content.readableBytes <= self.maximumBody else {
            return self.passOn(with: BodyTooLarge(self.request, self.inbox))
        }
        // The handshakes that have their value in the query are not signed by anybody.
        let verified = self.handshake == nil ? self.verified(content) : nil
        if verified == false, self.inbox.settings.verify?.onFailure == .refuse {
            self.inbox.desk.recorder.refused(.signature)
            return self.answer(.signatureInvalid)
        }
        let keeping = InboxKeeping(
            self.request,
            self.inbox,
            self.kept,
            content,
            verified: verified,
            handshake: self.handshake
        )
        guard self.inbox.settings.when == .always else { return self.passOn(with: keeping) }
        self.sink.take()?.handOver(to: keeping)
    }

    private func passOn(with refuge: any Refuge) {
        self.request.seekRefuge(refuge)
        self.sink.take()?.handOver(to: self.plan.responder(for: self.outgoing))
    }

    /// The body without the framing of its chunks; `nil` if that makes no sense.
    private func content() -> ByteBuffer? {
        var all = ByteBuffer()
        for part in self.body { all.writeImmutableBuffer(part) }
        guard self.visit.head.framing == .chunked else { return all }
        var reader = BodyReader(.chunked)
        var content = ByteBuffer()
        do {
            while var part = try reader.read(&all, contentOnly: true) { content.writeBuffer(&part) }
        } catch {
            return nil
        }
        return content
    }

    private func verified(_ content: ByteBuffer) -> Bool? {
        guard let check = self.inbox.check else { return nil }
        let section = self.visit.head.section
        var fields: [String: [String]] = [:]
        for field in section.textFields { fields[field.name.lowercased(), default: []].append(field.value) }
        let signed = SignedRequest(
            method: self.kept.method,
            target: self.kept.target,
            body: Array(content.readableBytesView)
        ) { fields[$0] ?? [] }
        return check.check(signed, now: Double(self.request.services.now())) == .right
    }
}

/// Tells the sender of a body that is too large to be kept why nobody takes it.
private final class BodyTooLarge: Refuge {
    private let request: IncomingRequest
    private let inbox: TunnelInbox

    init(_ request: IncomingRequest, _ inbox: TunnelInbox) {
        self.request = request
        self.inbox = inbox
    }

    func takeIn(_ error: VisitorError) -> (any Responder)? {
        self.inbox.desk.recorder.refused(.size)
        return EdgeAnswer(self.request, .error(.bodyTooLarge))
    }
}
