// SPDX-License-Identifier: Apache-2.0

import Mux
import NIOCore
import Protocol

/// A tunnel's place in a session that several tunnels share: the stream that the connector opened for it, and the
/// streams that its visitors' requests go over (docs/protocol.md §B.16).
///
/// The handler of that stream's channel, on the session's event loop.
final class SharedSeat: Upstream {
    /// What the seat tells its session's admission.
    enum Event {
        /// The connector takes no new requests for the tunnel.
        case leaving
        /// The stream is over.
        case ended(StreamError?)
    }

    /// The most streams that one tunnel may have in a session that is shared: as many as it would have in its own.
    private static let maximumStreams = 1_024
    /// How long requests may go on in a place that has been taken.
    private static let gracePeriod = TimeAmount.seconds(30)

    let id: UInt64
    let connectionID: UInt64
    let eventLoop: any EventLoop
    let target: String
    private let session: SessionHandler
    private let stream: StreamChannel
    /// The streams of the tunnel's visitors.
    private let group = StreamGroup()
    private let tell: (SharedSeat, Event) -> Void
    private var end = End.none

    /// How far the seat has come to its end.
    private enum End {
        case none
        /// The stream is being ended for this reason.
        case failing(StreamError)
        /// Both sides have finished; what is under way goes on.
        case finished
        /// Nothing may be opened here any more.
        case over
    }

    /// Makes the seat of a stream that asks for a tunnel.
    ///
    /// - Parameters:
    ///   - id: A number that is unique for the life of the edge: the later one of two seats of a tunnel is the
    ///     connector's latest word.
    ///   - connectionID: The number of the connection.
    ///   - target: What the connector calls the tunnel.
    ///   - session: The session.
    ///   - stream: The stream that stands for the tunnel.
    ///   - tell: Called with what becomes of the seat.
    init(
        id: UInt64,
        connectionID: UInt64,
        target: String,
        session: SessionHandler,
        stream: StreamChannel,
        tell: @escaping (SharedSeat, Event) -> Void
    ) {
        self.id = id
        self.connectionID = connectionID
        self.target = target
        self.session = session
        self.stream = stream
        self.eventLoop = stream.eventLoop
        self.tell = tell
    }

    var load: UpstreamLoad { self.session.load(streams: self.group.count) }
    var opensWithoutWaiting: Bool { self.session.opensWithoutWaiting }

    func open(
        _ metadata: OpenMetadata,
        kind: StreamKind,
        deadline: TimeAmount,
        initializer: (StreamChannel) throws -> Void
    ) throws -> StreamChannel {
        if case .over = self.end { throw OpenError.sessionUnavailable }
        guard self.group.count < Self.maximumStreams else { throw OpenError.tooManyWaiting }
        return try self.session.openStream(
            kind: kind,
            metadata: metadata,
            deadline: deadline,
            group: self.group,
            initializer: initializer
        )
    }

    func tell(_ notice: ByteBuffer) {
        self.session.tell(notice, target: self.target)
    }

    func probe() {
        self.session.probe()
    }

    func drain(gracePeriod: TimeAmount, lingering: TimeAmount) {
        self.session.leave(gracePeriod: gracePeriod, lingering: lingering)
    }

    func giveWay(toConnection newer: UInt64) {
        guard newer == self.connectionID else { return self.session.giveWay() }
        // The connector serves the tunnel anew, perhaps with other settings: requests under way may end.
        self.finish()
        self.eventLoop.assumeIsolated().scheduleTask(in: Self.gracePeriod) {
            self.end(code: .sessionClosing, reason: "the grace period is over")
        }
    }

    func end(code: ErrorCode, reason: String) {
        let error = StreamError(code: code, reason: reason, origin: .resetLocally, isRetrySafe: false)
        if self.stream.isActive {
            self.end = .failing(error)
            self.stream.reset(code: code, reason: reason)
        } else {
            // Finished by both sides, but for what is under way.
            self.end = .over
            self.tell(self, .ended(error))
        }
    }

    /// Ends the tunnel's requests that are under way.
    func endStreams() {
        self.session.reset(self.group, code: .sessionClosing, reason: "the tunnel is no longer served here")
    }

    /// Calls back when no request of the tunnel is under way any more, which may be now.
    func whenIdle(_ body: @escaping () -> Void) {
        guard self.group.count > 0 else { return body() }
        self.group.whenEmpty = body
    }

    /// Says that this side opens no more streams for the tunnel; those that run go on.
    private func finish() {
        self.stream.close(mode: .output, promise: nil)
    }
}

extension SharedSeat: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.end(code: .protocolError, reason: "a stream that stands for a tunnel carries no bytes")
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else { return }
        self.tell(self, .leaving)
        self.finish()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? StreamError { self.end = .failing(error) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if case .failing(let error) = self.end {
            self.end = .over
            self.tell(self, .ended(error))
        } else {
            self.end = .finished
            self.tell(self, .ended(nil))
        }
    }
}
