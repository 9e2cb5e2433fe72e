// SPDX-License-Identifier: Apache-2.0

import Mux
import NIOCore
import Protocol

/// A tunnel's place in a session that several tunnels share: the stream that the connector opened for it, and the
/// streams that its visitors' requests go over (docs/protocol.md §B.16).
///
/// The handler of that stream's channel, on the session's event loop.
final class SharedSeat: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// What the seat tells its session's admission.
    enum Event {
        /// The connector takes no new requests for the tunnel.
        case leaving
        /// The stream is over.
        case ended(StreamError?)
    }

    /// The streams of the tunnel's visitors.
    let group = StreamGroup()
    /// The number of the stream that stands for the tunnel: the later one of two is the connector's latest word.
    let ordinal: Int
    /// Whether the connector has said that new requests go elsewhere, or another seat took this one's place.
    private(set) var isLeaving = false
    /// Whether nothing may be opened here any more.
    private(set) var isOver = false
    private let stream: StreamChannel
    private let tell: (SharedSeat, Event) -> Void
    private var error: StreamError?

    /// - Parameters:
    ///   - ordinal: Which of the session's seats it is.
    ///   - stream: The stream that stands for the tunnel.
    ///   - tell: Hears of the seat.
    init(ordinal: Int, stream: StreamChannel, tell: @escaping (SharedSeat, Event) -> Void) {
        self.ordinal = ordinal
        self.stream = stream
        self.tell = tell
    }

    /// Ends the tunnel's place in the session at once, with all requests that are under way.
    func end(code: ErrorCode, reason: String) {
        let error = StreamError(code: code, reason: reason, origin: .resetLocally, isRetrySafe: false)
        self.error = error
        if self.stream.isActive {
            self.stream.reset(code: code, reason: reason)
        } else {
            // Finished by both sides, but for what is under way.
            self.isOver = true
            self.tell(self, .ended(error))
        }
    }

    /// Says that this side opens no more streams for the tunnel; those that run go on.
    func leave() {
        self.isLeaving = true
        self.stream.close(mode: .output, promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.end(code: .protocolError, reason: "a stream that stands for a tunnel carries no bytes")
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else { return }
        self.tell(self, .leaving)
        self.leave()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.error = error as? StreamError
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.isLeaving = true
        self.isOver = self.error != nil
        self.tell(self, .ended(self.error))
    }
}
