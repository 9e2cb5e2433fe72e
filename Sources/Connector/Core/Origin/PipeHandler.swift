// SPDX-License-Identifier: Apache-2.0

import Mux
import NIOCore
import NIOTLS

/// The channel handler at either end of a pipe: it writes what its channel reads to the other end, and stops reading
/// while the other end is not writable.
///
/// Both ends live on one event loop. Bytes that arrive in one burst of reads are flushed once.
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
    /// Whether to read before there is a partner: the TLS handshake on the local connection needs it.
    var readsWithoutPartner = false
    /// When bytes last arrived on the local side.
    private(set) var lastRead: NIODeadline?
    private var hasUnflushedBytes = false
    /// What was written to the partner's socket.
    private var writes = CompactWrites()
    private var isReadHeld = false
    private var isReadingStopped = false
    /// Kept here as well as in the pipe, so that where nothing is captured a read costs one comparison.
    private let capture: PipeCapture?
    private let meter: ConnectionMeter?

    init(side: Side, pipe: OriginPipe) {
        self.side = side
        self.pipe = pipe
        self.capture = pipe.capture
        self.meter = pipe.meter
    }

    /// Connects the other end; until then this end does not read.
    func join(_ partner: PipeHandler) {
        self.partner = partner
    }

    /// Reads again if a read was requested while the partner was not writable.
    func releaseRead() {
        guard self.isReadHeld, let context = self.context, self.mayRead else { return }
        self.isReadHeld = false
        context.read()
    }

    /// Reads no more; bytes that arrive are dropped.
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
        let bytes = self.unwrapInboundIn(data)
        // After the write, so that the capture does not delay it. The buffer is shared, not copied.
        switch self.side {
        case .stream:
            if let context = self.partner?.context {
                context.write(NIOAny(self.writes.next(bytes, to: context)), promise: nil)
            }
            self.capture?.requestBytes(bytes)
        case .local:
            // The session copies by itself what waits for credit.
            self.partner?.context?.write(data, promise: nil)
            self.capture?.responseBytes(bytes)
        }
        self.meter?.read(bytes.readableBytes, from: self.side)
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
        // NIO sends no channelReadComplete for bytes that it read in the same burst as the error.
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
