// SPDX-License-Identifier: Apache-2.0
import ControlAPI
import EdgeInbox
import EdgeTunnels
import HTTP1
import NIOCore
import Protocol

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Hands a kept message over to the app as if its sender sent it now.
///
/// It takes the place of the visitor's connection for an ``Exchange``, on one event loop.
final class MessageHandover: ResponseSink, Refuge {
    private let message: StoredMessage
    private let tunnel: Tunnel
    private let services: ProxyServices
    private let eventLoop: any EventLoop
    private let promise: EventLoopPromise<DeliveryOutcome>
    private var request: IncomingRequest?
    private var responder: (any Responder)?
    private var isUnreached = false
    private var isOver = false
    private var status: Int?
    private var retryAfter: Int?
    private var timer: Scheduled<Void>?

    /// - Parameters:
    ///   - message: The message.
    ///   - tunnel: Its tunnel.
    ///   - services: What the public listener works with.
    ///   - eventLoop: Where all of it happens.
    ///   - promise: Fulfilled with what came of it.
    init(
        _ message: StoredMessage,
        to tunnel: Tunnel,
        _ services: ProxyServices,
        on eventLoop: any EventLoop,
        promise: EventLoopPromise<DeliveryOutcome>
    ) {
        self.message = message
        self.tunnel = tunnel
        self.services = services
        self.eventLoop = eventLoop
        self.promise = promise
    }

    /// Begins; the promise tells the end.
    ///
    /// - Parameter timeout: How long the app has for its answer.
    func begin(timeout: TimeAmount) {
        var bytes = ByteBuffer(bytes: self.message.head.bytes)
        var parser = HeadParser(maximumBytes: 1 << 20, maximumFields: 10_000)
        guard let head = try? parser.request(&bytes) else { return self.conclude(.failed(code: "unreadable")) }
        let stored = self.message.head
        let address = stored.address.flatMap { try? SocketAddress(ipAddress: $0, port: stored.port) }
        let request = IncomingRequest(
            head,
            services: self.services,
            eventLoop: self.eventLoop,
            remoteAddress: address,
            peer: IPAddress(address),
            isDelivery: true
        )
        self.request = request
        request.seekRefuge(self)
        // An address that may have no more requests under way has no connection here that could count.
        _ = request.reached(self.tunnel, by: self.tunnel.policy)
        let entry: TunnelEntry = stored.prefixLength > 0 ? .prefix(stored.prefixLength) : .host
        let visit = TunnelVisit(head: head, request: request, entry: entry)
        let (plan, sent) = visit.plan(with: self.tunnel, dropsAuthorization: stored.dropsAuthorization)
        var outgoing = SentRequest(head: self.marked(sent.head), hasBody: request.traits.hasBody)
        if request.traits.hasBody {
            for part in self.body(head) { outgoing.sent(part) }
            outgoing.complete()
        }
        let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
        self.timer = self.eventLoop.scheduleTask(in: timeout) { bound.value.giveUp() }
        self.handOver(to: plan.responder(for: outgoing))
    }

    /// The head with what tells the app that the message was kept.
    private func marked(_ head: ByteBuffer) -> ByteBuffer {
        var head = head
        head.moveWriterIndex(to: head.writerIndex - 2)
        let (message, date) = (self.message.message, self.message.message.receivedAt.formatted(.iso8601))
        head.writeString(
            "Culvert-Inbox: \(message.id)\r\nCulvert-Inbox-Attempt: \(message.attempts + 1)\r\n"
                + "Culvert-Received: \(date)\r\n\r\n"
        )
        return head
    }

    private func body(_ head: RequestHead) -> [ByteBuffer] {
        let body = ByteBuffer(bytes: self.message.body)
        guard head.framing == .chunked else { return [body] }
        let last = ByteBuffer(string: "0\r\n\r\n")
        guard body.readableBytes > 0 else { return [last] }
        return [
            ByteBuffer(string: String(body.readableBytes, radix: 16) + "\r\n"), body, ByteBuffer(string: "\r\n"), last,
        ]
    }

    /// The app takes too long.
    func giveUp() {
        guard !self.isOver else { return }
        if let responder { responder.giveWay(.originTimeout, detail: "The app took too long.") }
        self.conclude(.failed(code: VisitorError.originTimeout.code))
    }

    /// The edge leaves: what comes of it is not told any more.
    func abandon() {
        guard !self.isOver else { return }
        self.responder?.visitorLeft(isBroken: true)
        self.conclude(.unreachable(code: VisitorError.tunnelOffline.code))
    }

    private func conclude(_ outcome: DeliveryOutcome) {
        guard !self.isOver else { return }
        self.isOver = true
        self.timer?.cancel()
        self.responder = nil
        self.request?.finish()
        self.request = nil
        self.promise.succeed(outcome)
    }

    // MARK: In place of the visitor's connection

    func takeIn(_ error: VisitorError) -> (any Responder)? {
        self.isUnreached = true
        return nil
    }

    let isWritable = true
    let stage = VisitorConnections.Stage.serving

    func decide(_ answer: VisitorConnectionState.Answer) -> ResponseRewrite.Connection { .kept }
    func bind(_ origin: BoundOrigin) {}
    func originAnsweredInterim() {}

    func head(_ bytes: ByteBuffer) {
        var bytes = bytes
        var parser = HeadParser(maximumBytes: 256 << 10, maximumFields: 1_000)
        guard let head = try? parser.response(&bytes), !head.isInformational else { return }
        self.status = head.status
        let text = head.section.textFields.first { $0.name.lowercased() == "retry-after" }?.value
        self.retryAfter = text.flatMap { RetryTime($0, now: self.services.now())?.seconds }
    }

    func body(_ bytes: ByteBuffer) {}
    func flush() {}

    func end() {
        guard let status else { return self.conclude(.failed(code: VisitorError.originClosed.code)) }
        self.conclude(.answered(status: status, retryAfter: self.retryAfter))
    }

    func switchProtocols() {}
    func endOutput() {}

    func abort(withReset: Bool) { self.conclude(.failed(code: VisitorError.originClosed.code)) }

    func wantsInput() {}
    func ignoresInput() {}

    func handOver(to responder: any Responder) {
        guard !self.isOver else { return }
        if let error = (responder as? EdgeAnswer)?.error {
            self.request?.failed(error)
            return self.conclude(self.isUnreached ? .unreachable(code: error.code) : .failed(code: error.code))
        }
        self.responder = responder
        responder.begin(self)
    }

    func upgrade(_ head: ByteBuffer, _ makeHandler: (any Channel) -> any ChannelHandler) {}
}
