// SPDX-License-Identifier: Apache-2.0

import Mux
import NIOCore
import NIOTLS

/// One end of a pipe: hands what its channel reads to the other end, and reads only while the other end takes more.
///
/// Both ends live on one event loop. What arrives within one read burst leaves with one flush.
final class PipeHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Which of the two channels this end is on.
    enum Side {
        case stream
        case local
    }

    private let side: Side
    private var pipe: OriginPipe?
    private var context: ChannelHandlerContext?
    private var partner: PipeHandler?
    /// Whether to read before there is a partner, as a TLS handshake below has to.
    var readsWithoutPartner = false
    /// When bytes last arrived on the local side.
    private(set) var lastRead: NIODeadline?
    private var hasUnflushedBytes = false
    private var isReadHeld = false
    private var isReadingStopped = false
    /// Held beside the pipe, so that without a tap a read costs one comparison more.
    private let tap: PipeCapture?

    init(side: Side, pipe: OriginPipe) {
        self.side = side
        self.pipe = pipe
        self.tap = pipe.tap
    }

    /// Lets bytes flow to the partner; until then reads are held back.
    func join(_ partner: PipeHandler) {
        self.partner = partner
    }

    /// Reads again if a read was asked for while the partner could take no more.
    func releaseRead() {
        guard self.isReadHeld, let context = self.context, self.mayRead else { return }
        self.isReadHeld = false
        context.read()
    }

    /// Leaves everything further unread.
    func stopReading() {
        self.isReadingStopped = true
    }

    private var mayRead: Bool {
        guard !self.isReadingStopped else { return false }
        guard let partner = self.partner?.context else { return self.readsWithoutPartner }
        return partner.channel.isWritable
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        self.partner = nil
        self.pipe = nil
    }

    func read(context: ChannelHandlerContext) {
        if self.mayRead {
            context.read()
        } else {
            self.isReadHeld = true
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !self.isReadingStopped else { return }
        self.hasUnflushedBytes = true
        self.partner?.context?.write(data, promise: nil)
        // After the fact: what looks on delays nothing. The buffer is shared, not copied.
        guard let tap = self.tap else { return }
        switch self.side {
        case .stream: tap.requestBytes(self.unwrapInboundIn(data))
        case .local: tap.responseBytes(self.unwrapInboundIn(data))
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.hasUnflushedBytes = false
        if self.side == .local { self.lastRead = .now() }
        self.partner?.context?.flush()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { self.partner?.releaseRead() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            switch self.side {
            case .stream: self.pipe?.streamFinished()
            case .local: self.pipe?.localFinished()
            }
        case StreamEvent.peerStoppedReading:
            self.pipe?.streamStoppedReading()
        case TLSUserEvent.handshakeCompleted:
            self.pipe?.localIsReady()
        default:
            break
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Bytes read in the same burst as the error get no read-complete.
        if self.hasUnflushedBytes { self.channelReadComplete(context: context) }
        switch self.side {
        case .stream: self.pipe?.streamFailed(error)
        case .local: self.pipe?.localFailed(error)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        switch self.side {
        case .stream: self.pipe?.streamClosed()
        case .local: self.pipe?.localClosed()
        }
    }
}
