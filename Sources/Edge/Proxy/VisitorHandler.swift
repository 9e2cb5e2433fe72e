// SPDX-License-Identifier: Apache-2.0
import Mux
import NIOCore
import Protocol

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// One visitor's connection: reads requests, sends each where it belongs, and writes the responses in order.
///
/// Decisions are made by ``HeadParser``, ``PublicRouter``, ``ExchangeState`` and the rewriting types; this class moves
/// bytes between them, the channel and the stream to the origin. All of it happens on the channel's event loop.
final class VisitorHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// What the connection is busy with.
    enum Phase {
        /// The head of the next request.
        case head
        /// The body of a call to the control API.
        case collecting(ControlCall)
        /// An answer that is being made elsewhere.
        case answering
        case exchange
        /// The connection is being closed; what still comes is dropped.
        case lingering
        case closed
    }

    let services: EdgeServices
    var context: ChannelHandlerContext?
    var phase = Phase.head
    /// What came and has not been taken.
    var inbound = ByteBuffer()
    var headParser: HeadParser
    var exchange: ActiveExchange?
    /// The record of a request that is not an exchange.
    var record: RequestRecord?
    /// The visitor will send no more.
    var hasInputEnded = false
    /// Whether the connection broke, rather than ended.
    private var hasReadFailed = false
    /// Whether bytes of a response were written since then: if nobody is there, a reset will tell.
    var hasWrittenSinceInputEnded = false

    /// How far our side of the connection has been closed.
    private var outputEnd = OutputEnd.open

    private enum OutputEnd {
        case open
        /// As soon as what was written is out.
        case ending
        case ended
    }

    private var isReadOutstanding = false
    private var isProcessing = false
    private var needsFlush = false
    /// The end of what was written, not queued yet.
    private var unsent: ByteBuffer?
    /// The origin was not asked for more because the visitor takes nothing.
    var isOriginPaused = false
    var deadline: Deadline?
    var deadlineTask: NIOScheduledCallback?
    /// When the task fires, which may be before the deadline.
    var deadlineAt: NIODeadline?
    var headStarted: NIODeadline?

    /// Up to how many bytes writes are put together.
    private static let smallWrite = 4_096
    /// What a connection that is not an exchange may hold unread, in bytes.
    private static let maximumInbound = 64 << 10

    init(services: EdgeServices) {
        self.services = services
        self.headParser = HeadParser(
            maximumBytes: services.http.maxHeadSize.bytes,
            maximumFields: services.http.maxFields
        )
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { self.start() }
    }

    func channelActive(context: ChannelHandlerContext) {
        self.start()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.cancelDeadline()
        self.context = nil
    }

    private func start() {
        self.setDeadline(.idle)
        self.updateReading()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = self.unwrapInboundIn(data)
        // Assigned rather than appended where possible: slices of it may still be on their way.
        if self.inbound.readableBytes == 0 {
            self.inbound = bytes
        } else {
            self.inbound.writeImmutableBuffer(bytes)
        }
        self.process()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.isReadOutstanding = false
        self.exchange?.link?.flush()
        self.flushIfNeeded()
        self.updateReading()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            if case .stalledDownload = self.deadline?.kind {
                if case .lingering = self.phase {
                    self.setDeadline(.stalledDownload)
                } else {
                    self.cancelDeadline()
                    self.setExchangeDeadline()
                }
            }
            if self.isOriginPaused {
                self.isOriginPaused = false
                self.exchange?.link?.read()
            }
        } else if self.exchange != nil {
            self.setDeadline(.stalledDownload)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else { return }
        self.inputEnded()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.hasReadFailed = true
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.phase = .closed
        self.cancelDeadline()
        self.visitorLeft()
    }

    // MARK: Reading

    /// Takes as much of what came as the connection's state allows.
    func process() {
        guard !self.isProcessing else { return }
        self.isProcessing = true
        defer { self.isProcessing = false }
        while self.inbound.readableBytes > 0 {
            switch self.phase {
            case .head:
                guard self.readHead() else { return }
            case .collecting(let call):
                guard self.collect(call) else { return }
            case .exchange:
                guard self.forwardRequest() else { return }
            case .answering: return
            case .lingering, .closed:
                self.inbound.clear()
                return
            }
        }
        if case .head = self.phase, self.hasInputEnded { self.closeSoon() }
    }

    /// Whether a whole head was taken.
    private func readHead() -> Bool {
        do {
            guard let head = try self.headParser.request(&self.inbound) else {
                if self.inbound.readableBytes > 0, self.headStarted == nil {
                    self.headStarted = .now()
                    self.setDeadline(.head)
                }
                return false
            }
            self.headStarted = nil
            self.cancelDeadline()
            self.begin(head)
            return true
        } catch {
            self.refuseHead(error)
            return false
        }
    }

    /// Asks the socket for more if there is a use for it.
    func updateReading() {
        guard let context, !self.isReadOutstanding, self.wantsBytes else { return }
        self.isReadOutstanding = true
        context.read()
    }

    private var wantsBytes: Bool {
        switch self.phase {
        case .closed: return false
        case .head, .collecting, .lingering: return true
        case .answering: return self.inbound.readableBytes < Self.maximumInbound
        case .exchange:
            guard let exchange = self.exchange else { return false }
            switch exchange.state.requestHalf {
            case .body, .raw:
                // What is left unread here is an unfinished size line or trailer, which more bytes must complete.
                return exchange.link?.isWritable == true
            case .complete:
                // Nothing more is expected, but the end of the connection must be noticed.
                return self.inbound.readableBytes < Self.maximumInbound
            }
        }
    }

    // MARK: Writing

    /// Queues bytes; they go out with ``flushIfNeeded()``.
    ///
    /// Small pieces that come together, such as a head and a short body, are put into one buffer: to copy them costs less
    /// than to queue each.
    func write(_ bytes: ByteBuffer) {
        if self.hasInputEnded { self.hasWrittenSinceInputEnded = true }
        guard let before = self.unsent?.readableBytes else {
            self.unsent = bytes
            return
        }
        if before + bytes.readableBytes <= Self.smallWrite {
            self.unsent?.writeImmutableBuffer(bytes)
        } else {
            self.queueUnsent()
            self.unsent = bytes
        }
    }

    func flushIfNeeded() {
        self.queueUnsent()
        guard self.needsFlush, let context else { return }
        self.needsFlush = false
        context.flush()
    }

    private func queueUnsent() {
        guard let bytes = self.unsent.take(), let context else { return }
        self.needsFlush = true
        context.write(self.wrapOutboundOut(bytes), promise: nil)
    }

    // MARK: Closing

    /// The exchange is over and the connection goes on with the next request.
    func awaitNextRequest() {
        self.exchange = nil
        self.phase = .head
        self.flushIfNeeded()
        self.setDeadline(.idle)
        self.process()
        self.updateReading()
    }

    /// Closes the connection so that what was written arrives: output first, then, once the visitor has closed too or
    /// a moment has passed, the rest (RFC 9112 §9.6).
    ///
    /// - Parameter isVisitorDone: Whether the visitor has said that it sends nothing more, so that nothing that it
    ///   might have sent meanwhile can turn the end of the connection into a reset.
    func closeSoon(isVisitorDone: Bool = false) {
        self.flushIfNeeded()
        if isVisitorDone, self.inbound.readableBytes == 0 { self.hasInputEnded = true }
        if case .closed = self.phase { return }
        if case .lingering = self.phase { return }
        self.phase = .lingering
        self.exchange = nil
        self.inbound.clear()
        // Until what was written is out, the visitor has the time that any response has.
        self.setDeadline(.stalledDownload)
        if self.outputEnd == .ended { self.outputEnded() } else { self.endOutput() }
        self.updateReading()
    }

    /// Ends our side of the connection after what was written.
    func endOutput() {
        guard let context, self.outputEnd == .open else { return }
        self.outputEnd = .ending
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in
            self.outputEnd = .ended
            self.outputEnded()
        }
        if self.hasInputEnded {
            // Closing the second side closes the channel, which drops what is queued: that goes first.
            context.writeAndFlush(self.wrapOutboundOut(ByteBuffer()), promise: promise)
        } else {
            context.close(mode: .output, promise: promise)
        }
    }

    private func outputEnded() {
        guard case .lingering = self.phase else { return }
        if self.hasInputEnded { self.context?.close(promise: nil) } else { self.setDeadline(.lingering) }
    }

    /// Cuts the connection in a way that can't be taken for the end of a response.
    func cut(withReset: Bool) {
        guard let context else { return }
        self.phase = .closed
        if withReset {
            // A zero linger time makes the close a reset (RFC 9293 §3.10.4, ABORT).
            (context.channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
                .assumeIsolated().whenComplete { _ in context.close(promise: nil) }
            return
        }
        context.close(promise: nil)
    }

    private func inputEnded() {
        self.hasInputEnded = true
        switch self.phase {
        case .head: self.closeSoon()
        case .collecting, .closed: self.context?.close(promise: nil)
        case .lingering: self.outputEnd == .ended ? self.outputEnded() : ()
        case .answering: break
        case .exchange: self.exchangeInputEnded()
        }
    }

    private func visitorLeft() {
        self.record?.finish(in: self.services.accessLog)
        self.record = nil
        guard let exchange = self.exchange else { return }
        self.exchange = nil
        if exchange.state.requestHalf == .raw, exchange.hasOriginEnded, !self.hasReadFailed {
            // The channel closes at once when the visitor's end follows ours: that is no abort.
            exchange.link?.leave()
        } else {
            exchange.link?.reset(.cancelled)
        }
        exchange.record.finish(in: self.services.accessLog)
    }
}
