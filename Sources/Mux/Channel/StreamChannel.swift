// SPDX-License-Identifier: Apache-2.0
import DequeModule
import NIOCore
import Protocol
import Synchronization

/// One stream as a NIO channel that carries `ByteBuffer`s both ways, with back-pressure and half-closure.
///
/// - A stream that this side opened is active at once; one that the peer opened after ``accept(_:)``.
/// - `read()` demands bytes; what is not read is not consumed, and the peer's credit ends. `autoRead` is on by default.
/// - `isWritable` is false while more is queued than should be.
/// - The peer's FIN arrives as `ChannelEvent.inputClosed` after the last bytes. `close(mode: .output)` sends FIN,
///   `close(mode: .input)` asks the peer to stop. When both sides have finished the channel closes by itself.
/// - A stream that ends otherwise fires a ``StreamError`` and closes. `close()` before both sides have finished resets
///   it with CANCELLED; ``reset(code:reason:)`` says why.
///
/// Used on its event loop only, but for what NIO promises to be thread-safe.
// The mutable state is used on the event loop alone, which every entry checks; what other threads may read is atomic.
public final class StreamChannel: Channel, @unchecked Sendable {
    public let allocator = ByteBufferAllocator()
    public let eventLoop: any EventLoop
    public let parent: (any Channel)?
    /// What OPEN said, on the side that did not send it.
    public let opening: OpenFrame?
    let key: StreamKey
    let session: SessionHandler

    private let closePromise: EventLoopPromise<Void>
    // Set once, at the end of init: the pipeline needs the channel.
    private var pipelineStorage: ChannelPipeline!
    private let activity = Atomic<Bool>(false)
    private let writability = Atomic<Bool>(true)

    var state = State.opening
    var isAutoRead = true
    private var isReadPending = false
    private var isDelivering = false
    private var isReadCompleteOwed = false
    var isOutputClosed = false
    /// How many bytes were written in all, where somebody waits for some of them.
    private var writtenBytes: UInt64 = 0
    private var promises: Deque<(offset: UInt64, promise: EventLoopPromise<Void>)> = []

    enum State {
        case opening
        case active
        case closed
    }

    init(session: SessionHandler, parent: any Channel, key: StreamKey, opening: OpenFrame?) {
        self.session = session
        self.parent = parent
        self.eventLoop = parent.eventLoop
        self.key = key
        self.opening = opening
        self.closePromise = parent.eventLoop.makePromise()
        self.pipelineStorage = ChannelPipeline(channel: self)
    }

    public var pipeline: ChannelPipeline { self.pipelineStorage }
    public var closeFuture: EventLoopFuture<Void> { self.closePromise.futureResult }
    public var localAddress: SocketAddress? { self.parent?.localAddress }
    public var remoteAddress: SocketAddress? { self.parent?.remoteAddress }
    public var isActive: Bool { self.activity.load(ordering: .relaxed) }
    public var isWritable: Bool { self.writability.load(ordering: .relaxed) }
    public var _channelCore: any ChannelCore { self }

    // MARK: Answers to OPEN

    /// Takes the stream: OPEN_ACK goes out, the channel becomes active. Nothing is delivered before.
    ///
    /// - Parameter acknowledgement: What OPEN_ACK is to say.
    public func accept(_ acknowledgement: OpenAckFrame = OpenAckFrame()) {
        guard self.state == .opening, self.opening != nil else { return }
        self.session.core.accept(self.key, acknowledgement: acknowledgement)
        self.activate()
        self.session.setNeedsPump()
    }

    /// Refuses the stream: the other side knows that nothing of it was delivered.
    ///
    /// - Parameters:
    ///   - code: Why.
    ///   - reason: For the other side's logs.
    public func reject(code: ErrorCode, reason: String = "") {
        guard self.state == .opening, self.opening != nil else { return }
        self.session.core.reject(self.key, code: code, reason: reason)
        self.finishClosing()
    }

    // MARK: Abrupt endings

    /// Ends the stream at once in both directions.
    ///
    /// - Parameters:
    ///   - code: Why.
    ///   - reason: For the other side's logs.
    public func reset(code: ErrorCode, reason: String = "") {
        guard self.state != .closed else { return }
        self.session.core.reset(self.key, code: code, reason: reason)
        self.finishClosing()
    }

    /// Asks the other side to send no more; what it has sent is dropped.
    public func stopReading(code: ErrorCode) {
        guard self.state == .active else { return }
        self.session.core.stopReading(self.key, code: code, now: .now())
        self.session.setNeedsPump()
    }

    // MARK: What the session tells

    func activate() {
        guard self.state == .opening else { return }
        self.state = .active
        self.activity.store(true, ordering: .relaxed)
        self.pipeline.fireChannelActive()
        self.readIfAuto()
    }

    /// Never became active: goes without a word.
    func abandon() {
        self.session.core.reset(self.key, code: .cancelled)
        self.finishClosing()
    }

    /// Whether bytes were delivered, so that a read-complete is owed.
    func becameReadable() -> Bool {
        guard self.isReadPending else { return false }
        self.deliver()
        return self.isReadCompleteOwed
    }

    func completeRead() {
        guard self.isReadCompleteOwed else { return }
        self.isReadCompleteOwed = false
        guard self.state == .active else { return }
        self.pipeline.fireChannelReadComplete()
        self.readIfAuto()
    }

    func becameWritable() {
        guard self.state == .active, !self.isWritable else { return }
        self.writability.store(true, ordering: .relaxed)
        self.pipeline.fireChannelWritabilityChanged()
    }

    func peerStoppedReading(_ code: ErrorCode) {
        self.isOutputClosed = true
        self.failPromises(ChannelError.outputClosed)
        self.pipeline.fireUserInboundEventTriggered(StreamEvent.peerStoppedReading(code))
    }

    func ended(_ error: StreamError?) {
        guard self.state != .closed else { return }
        self.completeRead()
        if let error { self.pipeline.fireErrorCaught(error) }
        self.finishClosing()
    }

    // MARK: Reading

    private func readIfAuto() {
        if self.isAutoRead { self.pipeline.read() }
    }

    /// What one `read()` delivers at most, in bytes: then others have their turn, and the reader may pause.
    private static let bytesPerRead = 65_536

    private func deliver() {
        guard !self.isDelivering, self.state == .active else { return }
        self.isDelivering = true
        defer { self.isDelivering = false }
        var delivered = 0
        while delivered < Self.bytesPerRead, self.state == .active {
            switch self.session.core.read(self.key, now: .now()) {
            case .bytes(let bytes):
                self.isReadPending = false
                self.isReadCompleteOwed = true
                delivered += bytes.readableBytes
                self.pipeline.fireChannelRead(bytes)
            case .end:
                self.isReadPending = false
                self.completeDelivery()
                self.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
                return self.session.setNeedsPump()
            case .nothing:
                return self.session.setNeedsPump()
            }
        }
        self.session.setNeedsPump()
    }

    private func completeDelivery() {
        guard self.isReadCompleteOwed else { return }
        self.isReadCompleteOwed = false
        self.pipeline.fireChannelReadComplete()
    }

    // MARK: Promises of writes

    var hasPromises: Bool { !self.promises.isEmpty }

    func keepPromises(sent: UInt64) {
        while let first = self.promises.first, first.offset <= sent {
            self.promises.removeFirst()
            first.promise.succeed()
        }
    }

    private func failPromises(_ error: any Error) {
        let promises = self.promises
        self.promises.removeAll()
        for waiting in promises { waiting.promise.fail(error) }
    }

    // MARK: Closing

    /// The stream is over, or is being reset: the channel is gone for its owner.
    func finishClosing() {
        guard self.state != .closed else { return }
        let wasActive = self.state == .active
        self.state = .closed
        self.activity.store(false, ordering: .relaxed)
        self.writability.store(false, ordering: .relaxed)
        self.failPromises(ChannelError.ioOnClosedChannel)
        self.session.release(self)
        if wasActive { self.pipeline.fireChannelInactive() }
        // As other channels do: handlers are still there for whoever closed the channel from inside one.
        self.eventLoop.execute {
            self.removeHandlers(pipeline: self.pipeline)
            self.closePromise.succeed()
        }
    }
}

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
        guard self.state == .active, !self.isOutputClosed else {
            promise?.fail(self.state == .closed ? ChannelError.ioOnClosedChannel : ChannelError.outputClosed)
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
