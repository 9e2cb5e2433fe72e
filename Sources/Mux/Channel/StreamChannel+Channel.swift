// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol
import Synchronization

// NIO documents what these are.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension StreamChannel: Channel {
    public var allocator: ByteBufferAllocator { ByteBufferAllocator() }
    public var pipeline: ChannelPipeline { self.pipelineStorage }
    public var closeFuture: EventLoopFuture<Void> { self.closePromise.futureResult }
    public var localAddress: SocketAddress? { self.parent?.localAddress }
    public var remoteAddress: SocketAddress? { self.parent?.remoteAddress }
    public var isActive: Bool { self.activity.load(ordering: .relaxed) }
    public var isWritable: Bool { self.writability.load(ordering: .relaxed) }
    public var _channelCore: any ChannelCore { self }
}

// NIO documents what these are.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension StreamChannel: ChannelCore {
    public func localAddress0() throws -> SocketAddress {
        guard let address = self.localAddress else { throw ChannelError.unknownLocalAddress }
        return address
    }

    public func remoteAddress0() throws -> SocketAddress {
        guard let address = self.remoteAddress else { throw ChannelError.operationUnsupported }
        return address
    }

    public func register0(promise: EventLoopPromise<Void>?) {
        promise?.fail(ChannelError.operationUnsupported)
    }

    public func registerAlreadyConfigured0(promise: EventLoopPromise<Void>?) {
        promise?.fail(ChannelError.operationUnsupported)
    }

    public func bind0(to: SocketAddress, promise: EventLoopPromise<Void>?) {
        promise?.fail(ChannelError.operationUnsupported)
    }

    public func connect0(to: SocketAddress, promise: EventLoopPromise<Void>?) {
        promise?.fail(ChannelError.operationUnsupported)
    }

    public func write0(_ data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard self.state == .active, !self.isOutputClosed, self.session.core.life.end == nil else {
            promise?.fail(self.isOutputClosed ? ChannelError.outputClosed : ChannelError.ioOnClosedChannel)
            return
        }
        // The core drops what is sent before OPEN_ACK.
        guard !self.isRelaying else {
            promise?.fail(ChannelError.operationUnsupported)
            return
        }
        let bytes = self.unwrapData(data, as: ByteBuffer.self)
        self.writtenBytes += UInt64(bytes.readableBytes)
        if !self.session.core.write(self.key, bytes), self.isWritable {
            self.writability.store(false, ordering: .relaxed)
            self.pipeline.fireChannelWritabilityChanged()
        }
        if let promise {
            if !self.hasPromises { self.session.promising.append(self) }
            self.promises.append((self.writtenBytes, promise))
        }
    }

    public func flush0() {
        self.session.setNeedsPump()
    }

    public func read0() {
        guard self.state == .active else { return }
        self.isReadPending = true
        guard self.session.core.isReadable(self.key), !self.isDelivering else { return }
        // Not from inside the caller: a reader that reads again on each read-complete would nest without end.
        self.eventLoop.execute {
            guard self.isReadPending else { return }
            self.deliver()
            self.completeRead()
            self.session.dispatchEvents()
        }
    }

    public func close0(error: any Error, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard self.state != .closed else {
            promise?.fail(ChannelError.alreadyClosed)
            return
        }
        switch mode {
        case .output:
            guard !self.isOutputClosed else {
                promise?.fail(ChannelError.outputClosed)
                return
            }
            self.isOutputClosed = true
            self.session.core.finish(self.key)
            self.session.setNeedsPump()
            promise?.succeed()
            self.pipeline.fireUserInboundEventTriggered(ChannelEvent.outputClosed)
        case .input:
            self.stopReading(code: .noError)
            promise?.succeed()
        case .all:
            if let promise { self.closePromise.futureResult.cascade(to: promise) }
            self.reset(code: .cancelled)
        }
    }

    public func triggerUserOutboundEvent0(_ event: Any, promise: EventLoopPromise<Void>?) {
        promise?.fail(ChannelError.operationUnsupported)
    }

    public func channelRead0(_ data: NIOAny) {
        // Bytes that no handler took are dropped, as every channel does.
    }

    public func errorCaught0(error: any Error) {
        // An error that no handler took says nothing that channelInactive does not.
    }
}
