// SPDX-License-Identifier: Apache-2.0

import Mux
import NIOCore
import Protocol

/// A tunnel's seat in a session that several tunnels share: the stream that the connector opens for the tunnel, and the
/// streams that the edge opens for the tunnel's visitors (docs/protocol.md §B.16).
///
/// ``ConnectionKeeper`` follows it like a session of the tunnel alone. It is the handler of the tunnel's stream, on the
/// session's event loop.
final class TunnelSeat: ChannelInboundHandler, TunnelSessionControl {
    typealias InboundIn = ByteBuffer

    /// How far the seat is in its life.
    private enum Phase {
        /// The edge has not accepted the seat yet.
        case opening
        case serving
        /// The edge sends new requests elsewhere; those in flight go on.
        case draining
        /// Nothing is in flight; the session itself drains, as this was its last seat.
        case drained
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
    /// What the edge was shown last.
    private(set) var token: TunnelToken?
    private var phase = Phase.opening
    /// Whether a later run of the tunnel has taken the seat.
    private var isHandedOver = false
    /// Whether the edge sends new requests elsewhere.
    var isDraining: Bool { self.phase != .opening && self.phase != .serving }
    private var error: StreamError?
    private var grace: Scheduled<Void>?

    /// - Parameters:
    ///   - tunnelID: The tunnel.
    ///   - run: Which run of the tunnel it belongs to.
    ///   - origin: Serves the streams of its visitors.
    ///   - session: The session that the seat is in.
    ///   - events: Gets the events of the seat.
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

    /// Asks the edge to accept the seat.
    ///
    /// - Throws: ``OpenError`` if the session takes no streams.
    func open(on handler: SessionHandler, token: TunnelToken) throws {
        self.token = token
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

    // MARK: Events of the session

    /// The edge will close the session.
    func sessionIsDraining(code: ErrorCode, reconnectAfter: Duration) {
        guard self.phase == .opening || self.phase == .serving else { return }
        self.events.yield(.draining(code: code, reconnectAfter: reconnectAfter))
    }

    /// The session has lost its connection, and waits for another one.
    func sessionWasSuspended(reason: String) {
        guard self.phase == .opening || self.phase == .serving else { return }
        self.events.yield(.suspended(reason: reason, streams: self.group.count))
    }

    /// Another connection for the session could not be opened.
    func sessionIsStillAway(retryIn delay: Duration, reason: String) {
        guard self.phase == .opening || self.phase == .serving else { return }
        self.events.yield(.stillAway(retryIn: delay, reason: reason))
    }

    /// Another connection goes on with the session.
    func sessionWasResumed(_ resumption: Resumption) {
        guard self.phase == .opening || self.phase == .serving else { return }
        let pause = Duration.nanoseconds(resumption.pause.nanoseconds)
        self.events.yield(.resumed(pause: pause, repeated: resumption.repeated))
    }

    /// The session is over.
    func sessionEnded(code: ErrorCode, reason: String) {
        self.finish(code: code, reason: reason)
    }

    // MARK: Events of the stream

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .accepted = event as? StreamEvent {
            guard self.phase == .opening else { return }
            self.phase = .serving
            self.session.route(to: self)
            self.events.yield(.active(at: nil))
        } else if let event = event as? ChannelEvent, event == .inputClosed {
            // The edge sends no more requests to this seat: the tunnel has a newer one in this session.
            self.seatWasTaken()
            self.stream?.close(mode: .output, promise: nil)
        }
    }

    private func seatWasTaken() {
        guard !self.isDraining else { return }
        self.phase = .draining
        if self.session.hasNewer(than: self) {
            self.isHandedOver = true
        } else {
            // The run that took it has ended meanwhile: this one goes on, in a new seat.
            self.events.yield(.draining(code: .shutdown, reconnectAfter: .zero))
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.error = error as? StreamError
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.stream = nil
        guard let error else { return self.settle() }
        // When the session is lost, it reports the end with its reason.
        guard error.origin != .sessionLost else { return }
        self.session.handler?.reset(self.group, code: .sessionClosing, reason: "the tunnel is no longer served here")
        self.retire(code: error.code, reason: error.reason)
    }

    /// Gives up the seat once nothing is in flight.
    private func settle() {
        guard self.phase == .draining, self.stream == nil else { return }
        guard self.group.count > 0 else { return self.retire(code: .shutdown, reason: "") }
        self.group.whenEmpty = { [weak self] in self?.settle() }
    }

    // MARK: TunnelSessionControl

    var roundTripTime: TimeAmount? { self.session.handler?.roundTripTime }

    func drain(gracePeriod: TimeAmount) {
        guard self.phase != .drained, self.phase != .over, self.grace == nil else { return }
        if !self.isDraining {
            self.phase = .draining
            self.stream?.close(mode: .output, promise: nil)
        }
        self.grace = self.session.eventLoop.assumeIsolated().scheduleTask(in: gracePeriod) { [weak self] in
            self?.end()
        }
    }

    func renew(with token: TunnelToken, _ outcome: @escaping (TokenOutcome) -> Void) {
        guard self.phase == .serving || self.phase == .draining, let handler = self.session.handler else {
            return outcome(.refused(.draining))
        }
        self.token = token
        handler.renew(with: token, outcome)
    }

    func verify() {
        self.session.handler?.verify()
    }

    func end() {
        guard self.phase != .drained, self.phase != .over else { return }
        self.stream?.reset(code: .cancelled)
        self.session.handler?.reset(self.group, code: .sessionClosing, reason: "the connector is leaving")
        self.retire(code: .shutdown, reason: "")
    }

    // MARK: The end

    private func retire(code: ErrorCode, reason: String) {
        guard self.phase != .drained, self.phase != .over else { return }
        self.phase = .drained
        self.grace?.cancel()
        self.group.whenEmpty = nil
        // The last seat ends when the session has drained.
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
