// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import NIOEmbedded
import Synchronization

@testable import EdgeProxy

/// One end of a connection that a script can drive.
protocol ScriptedEnd: AnyObject {
    var received: Data { get }
    var ended: ConnectionEnd? { get }
    func send(_ bytes: Data)
    /// Closes one direction.
    func shut()
    func close()
    /// Closes in a way that discards what is on its way.
    func reset()
}

/// A visitor's end of a connection to the edge.
final class VisitorEnd: ScriptedEnd {
    let channel: EmbeddedChannel
    private let socket: VisitorSocket

    init(_ connection: VisitorConnection, from address: String, on loop: EmbeddedEventLoop) throws {
        self.socket = VisitorSocket()
        self.channel = EmbeddedChannel(loop: loop)
        try self.channel.pipeline.syncOperations.addHandlers([self.socket, connection])
        try self.channel.connect(to: SocketAddress(ipAddress: address, port: 50_000)).wait()
    }

    var received: Data { self.socket.received }
    var ended: ConnectionEnd? { self.socket.ended }
    /// What the edge has written and the visitor not taken, in bytes.
    var untakenBytes: Int { self.socket.untakenBytes }

    /// Whether the visitor takes what it is sent.
    var isTaking: Bool {
        get { self.socket.isTaking }
        set { self.socket.setTaking(newValue) }
    }

    func send(_ bytes: Data) { self.socket.arrive(ByteBuffer(bytes: bytes)) }
    func shut() { self.socket.inputEnds() }
    func close() { self.socket.visitorCloses() }
    func reset() { self.socket.visitorResets() }
}

/// The socket of a visitor's connection: gives bytes when they are asked for, and knows half-closure, which an embedded
/// channel doesn't.
private final class VisitorSocket: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private(set) var received = Data()
    private(set) var ended: ConnectionEnd?
    private(set) var isTaking = true
    private var context: ChannelHandlerContext?
    private var arrived = ByteBuffer()
    private var isReadWanted = false
    private var hasInputEnded = false
    private var isInputEndTold = false
    private var isOutputClosed = false
    /// The visitor is gone: what is sent to it comes back as a reset.
    private var isGone = false
    private var pending: [(bytes: ByteBuffer, promise: EventLoopPromise<Void>?)] = []
    private var flushed = 0
    private var closing: EventLoopPromise<Void>??

    var untakenBytes: Int { self.pending.reduce(0) { $0 + $1.bytes.readableBytes } }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    // MARK: To the edge

    func arrive(_ bytes: ByteBuffer) {
        self.arrived.writeImmutableBuffer(bytes)
        self.deliverSoon()
    }

    func inputEnds() {
        self.hasInputEnded = true
        self.deliverSoon()
    }

    func visitorCloses() {
        self.isGone = true
        self.ended = self.ended ?? .end
        self.inputEnds()
    }

    func visitorResets() {
        self.isGone = true
        self.ended = self.ended ?? .reset
        self.context?.fireErrorCaught(ChannelError.eof)
        self.context?.close(promise: nil)
    }

    func read(context: ChannelHandlerContext) {
        self.isReadWanted = true
        self.deliverSoon()
    }

    private func deliverSoon() {
        self.context?.eventLoop.assumeIsolated().execute { self.deliver() }
    }

    private func deliver() {
        guard let context, self.isReadWanted else { return }
        if let bytes = self.arrived.readSlice(length: min(65_536, self.arrived.readableBytes)), bytes.readableBytes > 0
        {
            self.isReadWanted = false
            if self.arrived.readableBytes == 0 { self.arrived = ByteBuffer() }
            context.fireChannelRead(self.wrapInboundOut(bytes))
            context.fireChannelReadComplete()
        } else if self.hasInputEnded, !self.isInputEndTold {
            self.isInputEndTold = true
            if self.isOutputClosed { return context.close(promise: nil) }
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        }
    }

    // MARK: From the edge

    func setTaking(_ isTaking: Bool) {
        self.isTaking = isTaking
        self.take()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        self.pending.append((self.unwrapOutboundIn(data), promise))
        self.updateWritability()
    }

    func flush(context: ChannelHandlerContext) {
        self.flushed = self.pending.count
        self.take()
    }

    private func take() {
        guard self.isTaking else { return }
        if self.isGone, self.flushed > 0 {
            // What is sent to somebody who has gone comes back as a reset.
            let bytes = self.pending.prefix(self.flushed).reduce(0) { $0 + $1.bytes.readableBytes }
            if bytes > 0 {
                self.context?.fireErrorCaught(ChannelError.eof)
                self.context?.close(promise: nil)
            }
        }
        let taken = self.pending.prefix(self.flushed)
        self.pending.removeFirst(self.flushed)
        self.flushed = 0
        for (bytes, promise) in taken {
            if !self.isGone { self.received.append(contentsOf: bytes.readableBytesView) }
            promise?.succeed()
        }
        self.updateWritability()
        if self.pending.isEmpty, let promise = self.closing.take() { self.closeOutput(promise) }
    }

    private func updateWritability() {
        guard let context, let channel = context.channel as? EmbeddedChannel else { return }
        let isWritable = self.untakenBytes <= (channel.isWritable ? 64 << 10 : 32 << 10)
        guard isWritable != channel.isWritable else { return }
        channel.isWritable = isWritable
        context.fireChannelWritabilityChanged()
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .output else {
            let isReset = EmbeddedChannel.aborted.withLock { $0.remove(ObjectIdentifier(context.channel)) } != nil
            self.ended = self.ended ?? (isReset ? .reset : .end)
            for (_, waiting) in self.pending { waiting?.fail(ChannelError.eof) }
            self.pending.removeAll()
            self.flushed = 0
            if case .some(let waiting) = self.closing.take() { waiting?.fail(ChannelError.eof) }
            return context.close(mode: .all, promise: promise)
        }
        guard self.pending.isEmpty else {
            self.flushed = self.pending.count
            self.closing = .some(promise)
            return self.take()
        }
        self.closeOutput(promise)
    }

    private func closeOutput(_ promise: EventLoopPromise<Void>?) {
        self.isOutputClosed = true
        self.ended = self.ended ?? .end
        promise?.succeed()
        if self.isInputEndTold { self.context?.close(promise: nil) }
    }
}

extension EmbeddedChannel {
    /// The channels whose next close is a reset.
    fileprivate static let aborted = Mutex<Set<ObjectIdentifier>>([])
}

/// The one socket option that the proxy sets: a zero linger time makes the close a reset.
///
/// The proxy asks the channel whether it is a socket, and no wrapper of an embedded channel could say so.
// swift-format-ignore: AvoidRetroactiveConformances
extension EmbeddedChannel: @retroactive SocketOptionProvider {
    /// Takes any option for the linger time.
    public func unsafeSetSocketOption<Value: Sendable>(
        level: SocketOptionLevel,
        name: SocketOptionName,
        value: Value
    ) -> EventLoopFuture<Void> {
        Self.aborted.withLock { _ = $0.insert(ObjectIdentifier(self)) }
        return self.eventLoop.makeSucceededVoidFuture()
    }

    /// Takes any option for the linger time.
    public func unsafeSetSocketOption<Value: Sendable>(
        level: NIOBSDSocket.OptionLevel,
        name: NIOBSDSocket.Option,
        value: Value
    ) -> EventLoopFuture<Void> {
        Self.aborted.withLock { _ = $0.insert(ObjectIdentifier(self)) }
        return self.eventLoop.makeSucceededVoidFuture()
    }

    /// There is nothing to be read.
    public func unsafeGetSocketOption<Value: Sendable>(
        level: SocketOptionLevel,
        name: SocketOptionName
    ) -> EventLoopFuture<Value> {
        self.eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
    }

    /// There is nothing to be read.
    public func unsafeGetSocketOption<Value: Sendable>(
        level: NIOBSDSocket.OptionLevel,
        name: NIOBSDSocket.Option
    ) -> EventLoopFuture<Value> {
        self.eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
    }
}
