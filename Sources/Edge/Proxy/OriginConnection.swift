// SPDX-License-Identifier: Apache-2.0
import EdgeTunnels
import Mux
import NIOCore
import Protocol

/// One connection to the origin: a stream of a session, used by one exchange after the other.
///
/// The handler of the stream's channel, on the session's event loop.
final class OriginConnection: ChannelInboundHandler, IdleStream {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let pool: StreamPool
    // Until the channel lets the handler go: a weak reference would make each retain of the channel dearer.
    private var channel: StreamChannel?
    /// The stream's way out, as long as it is there.
    private var context: ChannelHandlerContext?
    private var link: OriginLink?
    private var failure: StreamError?
    private var hasEnded = false
    /// Whether the connection has served another exchange.
    private(set) var isReused = false
    private var isAccepted = false
    /// Whether the origin has yet to send its first byte.
    private var isUnanswered = true
    /// The visitor's connection that it belongs to, once it has served one that it must not be shared with.
    private var owner: UInt64?

    init(pool: StreamPool) {
        self.pool = pool
    }

    /// Whether another exchange may use it.
    var isReusable: Bool { self.context != nil && !self.hasEnded && self.failure == nil }

    func attach(_ link: OriginLink, channel: StreamChannel) {
        self.link = link
        self.channel = channel
    }

    /// The next exchange takes the connection out of the pool.
    func attach(_ link: OriginLink) {
        self.link = link
        self.isReused = true
    }

    // MARK: What the exchange asks for

    func write(_ bytes: ByteBuffer) {
        self.context?.write(self.wrapOutboundOut(bytes), promise: nil)
    }

    func flush() {
        self.context?.flush()
    }

    func read() {
        self.context?.read()
    }

    func finish() {
        self.channel?.close(mode: .output, promise: nil)
    }

    func reset(_ code: ErrorCode) {
        self.link = nil
        self.channel?.reset(code: code)
    }

    /// The exchange is over.
    ///
    /// - Parameters:
    ///   - reusable: Whether the connection may serve another.
    ///   - owner: The visitor's connection that it belongs to from now on, if it must not be shared.
    func release(reusable: Bool, owner: UInt64?) {
        self.link = nil
        if let owner { self.owner = owner }
        guard reusable, self.isReusable else { return self.discard() }
        if let owner = self.owner { self.pool.park(self, boundTo: owner) } else { self.pool.park(self) }
        // Whatever comes while nobody asked, be it the end, makes the connection useless.
        self.context?.read()
    }

    /// Both sides have ended: what is still queued arrives, and then the stream ends by itself.
    func leave() {
        self.link = nil
        self.channel?.close(mode: .output, promise: nil)
    }

    func discard() {
        self.channel?.reset(code: .noError)
    }

    // MARK: What the stream tells

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        self.channel = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.settle(isAnswered: true)
        if let link { link.received(self.unwrapInboundIn(data)) } else { self.drop() }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.link?.completedRead()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.link?.writabilityChanged(context.channel.isWritable)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed {
            self.hasEnded = true
            if let link { link.ended() } else { self.drop() }
        } else if let event = event as? StreamEvent {
            switch event {
            case .accepted:
                self.isAccepted = true
                self.link?.accepted()
            case .peerStoppedReading: self.link?.stopped()
            case .peerIsSilent: self.link?.fellSilent(self.circumstances)
            case .peerIsGivenUp: self.link?.wasGivenUp(self.circumstances)
            }
        }
    }

    private var circumstances: OriginLink.Circumstances {
        OriginLink.Circumstances(isReused: self.isReused, wasAccepted: self.isAccepted)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.failure = error as? StreamError
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        self.settle(isAnswered: false)
        if self.link == nil { self.forget() }
        let failure =
            self.failure
            ?? StreamError(code: .localReset, reason: "closed", origin: .resetByPeer, isRetrySafe: false)
        let link = self.link
        self.link = nil
        link?.failed(
            failure,
            OriginLink.Circumstances(
                isReused: self.isReused,
                wasAccepted: self.isAccepted,
                isAfterEnd: self.hasEnded && self.failure == nil
            )
        )
    }

    private func settle(isAnswered: Bool) {
        guard self.isUnanswered else { return }
        self.isUnanswered = false
        self.pool.settled(self, isAnswered: isAnswered)
    }

    private func drop() {
        self.forget()
        self.discard()
    }

    private func forget() {
        if let owner { self.pool.remove(self, boundTo: owner) } else { self.pool.remove(self) }
    }
}
