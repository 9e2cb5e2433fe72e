// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels
import HTTP1
import NIOCore
import Protocol

/// One request, from its head to the line in the access log; on the event loop of the visitor's connection.
///
/// What is noted of it begins with it and is written down once, at the latest when nobody holds it any more. All who look
/// on at the exchange are told here: the record itself, and an observer if there is one.
final class IncomingRequest {
    let traits: RequestTraits
    /// What the visitor accepts, for the case that the edge has to answer.
    private let accept: [String]
    let services: ProxyServices
    let eventLoop: any EventLoop
    /// Where the connection comes from, which is a proxy if one is in front.
    let remoteAddress: SocketAddress?
    /// The connection to an origin that belongs to the visitor's, if there is one.
    let boundOrigin: BoundOrigin?
    /// The tunnel's policy as it was when the request was let in: one for the whole of it.
    private(set) var policy = TunnelPolicy()
    private var record: RequestRecord
    private let place: VisitorPlace?
    /// What the request has among those of its address, once a tunnel has let it in.
    private(set) var ticket: VisitorTicket?
    private let observer: (any ExchangeObserver)?
    /// Who takes the request in if nobody sees anything of it; mostly nobody.
    private(set) var refuge: (any Refuge)?
    private var isFinished = false
    private let connectionPlace: ConnectionPlace?
    /// Memory that the connection has no more use for.
    private var spare: ByteBuffer?

    /// How many bytes of a target are logged.
    private static let longestTarget = 8_192

    /// Begins a request.
    ///
    /// - Parameters:
    ///   - head: Its head; `nil` for one that could not be read.
    ///   - services: What the listener works with.
    ///   - eventLoop: The event loop of the connection.
    ///   - remoteAddress: Where the connection comes from.
    ///   - peer: The same as an address alone, which a connection keeps for all its requests.
    ///   - place: The connection, to those who count requests by address.
    ///   - boundOrigin: The connection to an origin that belongs to the visitor's, if there is one.
    ///   - connectionPlace: The connection's place among all.
    ///   - spare: Memory that the connection has no more use for.
    ///   - isDelivery: Whether the edge itself asks, for an inbox: no visitor meets its errors.
    init(
        _ head: RequestHead?,
        services: ProxyServices,
        eventLoop: any EventLoop,
        remoteAddress: SocketAddress?,
        peer: IPAddress?,
        place: VisitorPlace? = nil,
        boundOrigin: BoundOrigin? = nil,
        connectionPlace: ConnectionPlace? = nil,
        spare: consuming ByteBuffer? = nil,
        isDelivery: Bool = false
    ) {
        self.place = place
        self.traits = head.map { RequestTraits($0) } ?? RequestTraits(isKeepAlive: false)
        self.accept = head?.section.values(.accept) ?? []
        self.connectionPlace = connectionPlace
        self.spare = spare
        self.services = services
        self.eventLoop = eventLoop
        self.remoteAddress = remoteAddress
        self.boundOrigin = boundOrigin
        self.record = RequestRecord(
            started: .now(),
            method: head?.methodText ?? "-",
            target: head.map { $0.section.text($0.target, atMost: Self.longestTarget) } ?? "-",
            visitor: head.map { services.trust.visitor($0.section, peer: peer) }
                ?? Visitor(address: peer, scheme: "http", host: ""),
            traceparent: head?.section.first(.traceparent),
            isDelivery: isDelivery
        )
        self.observer = services.observe(self.record.requestID)
        services.recorder.started()
    }

    deinit {
        self.finish()
    }

    var id: RequestID { self.record.requestID }
    var visitor: Visitor { self.record.visitor }
    /// Whether an error is shown as a page.
    var prefersHTML: Bool { ErrorPage.prefersHTML(accept: self.accept) }
    /// Whether the request's connection may be a visitor's, rather than one that is kept for connectors and the API.
    var mayVisit: Bool { self.connectionPlace?.mayVisit() ?? true }

    /// The visitor's address, as trusted proxies tell it.
    var callerAddress: SocketAddress? {
        guard let address = self.visitor.address else { return self.remoteAddress }
        return (try? SocketAddress(packedIPAddress: ByteBuffer(bytes: address.bytes), port: 0)) ?? self.remoteAddress
    }

    /// Memory for the head as it goes to the origin: the first caller gets what the connection had to spare.
    func takeSpare() -> ByteBuffer { self.spare.take() ?? ByteBuffer() }

    // MARK: What happens to it

    /// A tunnel has let the request in, by this policy.
    ///
    /// - Returns: Whether the visitor's address may have another one under way.
    func reached(_ tunnel: Tunnel, by policy: TunnelPolicy) -> Bool {
        self.policy = policy
        self.record.tunnel = tunnel
        tunnel.recordRequest()
        guard let place else { return true }
        self.ticket = tunnel.beginVisit(place, address: self.visitor.address, policy: policy, now: self.eventLoop.now)
        return self.ticket != nil
    }

    /// A tunnel has not let the request in: its owner is told how many these were.
    func refused(by tunnel: Tunnel) {
        self.record.tunnel = tunnel
    }

    /// The head is on its way to the connector, over this session.
    func forwarded(_ head: ByteBuffer, over session: TunnelSession) {
        self.record.forwarded = .now()
        self.record.otherEdge = session.otherEdge
        self.observer?.requestHead(head)
    }

    func received(_ bytes: ByteBuffer) {
        self.record.received += bytes.readableBytes
        self.place?.used(now: self.eventLoop.now)
        self.observer?.requestBytes(bytes)
    }

    func receivedEnd() {
        self.observer?.requestEnded()
    }

    /// A head of the response has come from the origin.
    func originAnswered() {
        if self.record.answered == nil { self.record.answered = .now() }
    }

    /// A head goes to the visitor.
    ///
    /// - Parameter isFinal: Whether the status is the one that counts.
    func answered(_ head: ByteBuffer, status: Int, isFinal: Bool) {
        if isFinal {
            self.record.status = status
            // Whoever has an answer needs no other; and it holds the request.
            self.refuge = nil
        }
        self.place?.used(now: self.eventLoop.now)
        self.observer?.responseHead(head, status: status)
    }

    func sent(_ bytes: ByteBuffer) {
        self.record.sent += bytes.readableBytes
        self.place?.used(now: self.eventLoop.now)
        self.observer?.responseBytes(bytes)
    }

    /// Notes who takes the request in if nobody sees anything of it, or that nobody does any more.
    func seekRefuge(_ refuge: (any Refuge)?) {
        self.refuge = refuge
    }

    /// Who answers a request that nobody has seen anything of; `nil` if the error is to be told.
    func unreached(_ error: VisitorError) -> (any Responder)? {
        self.refuge.take()?.takeIn(error)
    }

    func failed(_ error: VisitorError) {
        self.record.error = error
    }

    /// Writes down what was noted; the second time nothing is done.
    func finish() {
        guard !self.isFinished else { return }
        self.isFinished = true
        self.refuge = nil
        if let ticket { self.record.tunnel?.endVisit(ticket) }
        self.record.finish(in: self.services.recorder)
        self.observer?.exchangeEnded(error: self.record.error?.code)
    }
}

/// Takes in a request that nobody has seen anything of: there is no connector, or it can't reach its origin.
protocol Refuge: AnyObject {
    /// Who answers in place of the error; `nil` if it is to be told.
    func takeIn(_ error: VisitorError) -> (any Responder)?
}

/// What is noted of a request while it is under way, for the access log.
private struct RequestRecord {
    let requestID = RequestID()
    let started: NIODeadline
    var method: String
    var target: String
    var tunnel: Tunnel?
    var visitor: Visitor
    var traceparent: String?
    /// Whether the edge itself asks, for an inbox.
    let isDelivery: Bool
    /// When the head was on its way to the connector.
    var forwarded: NIODeadline?
    /// The edge that has the connector, if it is not this one.
    var otherEdge: PodID?
    /// When the head of the response came.
    var answered: NIODeadline?
    var status = 0
    var received = 0
    var sent = 0
    var error: VisitorError?

    /// Writes the line, and counts for the tunnel.
    ///
    /// Changes nothing; it is called in place, since a copy would take and give back a dozen references.
    mutating func finish(in recorder: any ExchangeRecorder, now: NIODeadline = .now()) {
        self.tunnel?.recordBytes(received: self.received, sent: self.sent)
        if let error, !self.isDelivery { self.tunnel?.recordError(error.code) }
        recorder.finished(
            AccessLogEntry(
                requestID: self.requestID,
                tunnelID: self.tunnel?.id,
                otherEdge: self.otherEdge,
                method: self.method,
                path: self.target,
                status: self.status,
                bytesReceived: self.received,
                bytesSent: self.sent,
                milliseconds: (now - self.started).milliseconds,
                overheadMilliseconds: self.forwarded.map { ($0 - self.started).milliseconds },
                originMilliseconds: self.answered.flatMap { answered in
                    self.forwarded.map { (answered - $0).milliseconds }
                },
                errorCode: self.error?.code,
                remoteAddress: self.visitor.address,
                traceparent: self.traceparent
            )
        )
    }
}

extension TimeAmount {
    fileprivate var milliseconds: Double { Double(self.nanoseconds) / 1e6 }
}
