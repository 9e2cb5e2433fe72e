// SPDX-License-Identifier: Apache-2.0

import Mux
import NIOCore
import Protocol

/// One tunnel in a session that several share: the stream that stands for it at the edge, and the streams that its
/// visitors' requests come over (docs/protocol.md §B.16).
///
/// To whoever looks after the tunnel it is a session like any other. The handler of that stream's channel, on the
/// session's event loop.
final class TunnelSeat: ChannelInboundHandler, TunnelSessionControl {
    typealias InboundIn = ByteBuffer

    /// How far the attachment is in its life.
    private enum Phase {
        /// The edge has yet to let the tunnel in.
        case opening
        case serving
        /// New requests go elsewhere; those under way go on.
        case leaving
        /// Nothing is under way any more; the session itself takes leave.
        case left
        case over
    }

    let tunnelID: String
    /// Which run of the tunnel it belongs to.
    let run: Int
    /// The streams of the tunnel's visitors.
    let group = StreamGroup()
    private let origin: OriginDialer
    private let session: SharedSession
    private let events: AsyncStream<TunnelSessionEvent>.Continuation
    private var stream: StreamChannel?
    private var phase = Phase.opening
    /// Whether a later run of the tunnel has taken the place.
    private var isHandedOver = false
    /// Whether new requests go elsewhere.
    var isLeaving: Bool { self.phase != .opening && self.phase != .serving }
    private var error: StreamError?
    private var grace: Scheduled<Void>?

    /// - Parameters:
    ///   - tunnelID: The tunnel.
    ///   - run: Which run of the tunnel it belongs to.
    ///   - origin: Serves the streams of its visitors.
    ///   - session: The session that it shares.
    ///   - events: Hears what becomes of it.
    init(
        tunnelID: String,
        run: Int,
        origin: OriginDialer,
        session: SharedSession,
        events: AsyncStream<TunnelSessionEvent>.Continuation
    ) {
        self.tunnelID = tunnelID
        self.run = run
        self.origin = origin
        self.session = session
        self.events = events
    }

    /// Asks the edge to let the tunnel in.
    ///
    /// - Throws: ``OpenError`` if the session takes no streams.
    func open(on handler: SessionHandler, token: TunnelToken) throws {
        var metadata = OpenMetadata(target: self.tunnelID)
        metadata.token = token.secret
        self.stream = try handler.openStream(kind: .tunnel, metadata: metadata) {
            try $0.pipeline.syncOperations.addHandler(self)
        }
    }

    /// Serves a stream that the edge opened for the tunnel.
    func serve(_ stream: StreamChannel) {
        stream.join(self.group)
        self.origin.serve(stream)
    }

    // MARK: What the session tells

    /// The edge will close the session.
    func sessionIsDraining(code: ErrorCode, reconnectAfter: Duration) {
        guard self.phase == .opening || self.phase == .serving else { return }
        self.events.yield(.draining(code: code, reconnectAfter: reconnectAfter))
    }

    /// The session is over.
    func sessionEnded(code: ErrorCode, reason: String) {
        self.finish(code: code, reason: reason)
    }

    // MARK: What the stream tells

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .accepted = event as? StreamEvent {
            guard self.phase == .opening else { return }
            self.phase = .serving
            self.session.route(to: self)
            self.events.yield(.active)
        } else if let event = event as? ChannelEvent, event == .inputClosed {
            // The edge sends no more requests this way: the tunnel has a newer place in this session.
            self.placeWasTaken()
            self.stream?.close(mode: .output, promise: nil)
        }
    }

    private func placeWasTaken() {
        guard !self.isLeaving else { return }
        self.phase = .leaving
        if self.session.hasNewer(than: self) {
            self.isHandedOver = true
        } else {
            // The run that took it is no more: this one goes on, in a place of its own.
            self.events.yield(.draining(code: .shutdown, reconnectAfter: .zero))
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.error = error as? StreamError
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.stream = nil
        guard let error else { return self.settle() }
        // A session that was lost tells so itself, with the reason.
        guard error.origin != .sessionLost else { return }
        self.session.handler?.reset(self.group, code: .sessionClosing, reason: "the tunnel is no longer served here")
        self.retire(code: error.code, reason: error.reason)
    }

    /// Goes, once nothing is under way.
    private func settle() {
        guard self.phase == .leaving, self.stream == nil else { return }
        guard self.group.count > 0 else { return self.retire(code: .shutdown, reason: "") }
        self.group.whenEmpty = { [weak self] in self?.settle() }
    }

    // MARK: What is asked of it

    var roundTripTime: TimeAmount? { self.session.handler?.roundTripTime }

    var activeStreamCount: Int { self.group.count }

    func leave(gracePeriod: TimeAmount) {
        guard self.phase != .left, self.phase != .over, self.grace == nil else { return }
        if !self.isLeaving {
            self.phase = .leaving
            self.stream?.close(mode: .output, promise: nil)
        }
        self.grace = self.session.eventLoop.assumeIsolated().scheduleTask(in: gracePeriod) { [weak self] in
            self?.end()
        }
    }

    func verify() {
        self.session.handler?.verify()
    }

    func end() {
        guard self.phase != .left, self.phase != .over else { return }
        self.stream?.reset(code: .cancelled)
        self.session.handler?.reset(self.group, code: .sessionClosing, reason: "the connector is leaving")
        self.retire(code: .shutdown, reason: "")
    }

    // MARK: The end

    private func retire(code: ErrorCode, reason: String) {
        guard self.phase != .left, self.phase != .over else { return }
        self.phase = .left
        self.grace?.cancel()
        self.group.whenEmpty = nil
        // Who leaves last waits for the session to take leave.
        if !self.session.retire(self) || code != .shutdown { self.finish(code: code, reason: reason) }
    }

    private func finish(code: ErrorCode, reason: String) {
        guard self.phase != .over else { return }
        self.phase = .over
        self.grace?.cancel()
        self.group.whenEmpty = nil
        self.events.yield(self.isHandedOver ? .handedOver : .ended(code: code, reason: reason))
        self.events.finish()
    }
}
