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
///
/// It is `Sendable` because its mutable state is used on the event loop alone, and what other threads may read is
/// atomic.
public final class StreamChannel: @unchecked Sendable {  // NIO demands it; the compiler knows no loops.
    /// Where every call must come from that NIO does not promise to be thread-safe.
    public let eventLoop: any EventLoop
    /// The channel of the session.
    public let parent: (any Channel)?
    /// What OPEN said, on the side that did not send it.
    public let opening: OpenFrame?
    let key: StreamKey
    let session: SessionHandler
    /// The streams that this one belongs to, if any.
    private(set) var group: StreamGroup?

    let closePromise: EventLoopPromise<Void>
    // Set once, at the end of init: the pipeline needs the channel.
    // swift-format-ignore: NeverUseImplicitlyUnwrappedOptionals
    var pipelineStorage: ChannelPipeline!
    let activity = Atomic<Bool>(false)
    let writability = Atomic<Bool>(true)

    var state = State.opening
    /// Whether bytes are delivered although OPEN is not answered.
    private(set) var isRelaying = false
    var isAutoRead = true
    var isReadPending = false
    var isDelivering = false
    private var isReadCompleteOwed = false
    var isOutputClosed = false
    /// How many bytes were written in all, where somebody waits for some of them.
    var writtenBytes: UInt64 = 0
    var promises: Deque<(offset: UInt64, promise: EventLoopPromise<Void>)> = []

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

    /// Counts the stream among those of a group, until it has closed.
    ///
    /// - Parameter group: The group; a stream stays with its first.
    public func join(_ group: StreamGroup) {
        guard self.group == nil, self.state != .closed else { return }
        self.group = group
        group.added()
    }

    // MARK: Answers to OPEN

    /// Whether the stream is still to be accepted or rejected.
    public var isUnanswered: Bool {
        self.opening != nil && (self.state == .opening || self.isRelaying && self.state == .active)
    }

    /// Reads the stream before it is answered, to pass on what comes: the channel becomes active, and takes no bytes yet.
    ///
    /// Whoever answers in the end decides: ``accept(_:)``, or ``reject(code:reason:)`` if nothing was delivered there
    /// either. Any other end is a RESET, which promises nothing.
    public func relay() {
        guard self.state == .opening, self.opening != nil else { return }
        self.isRelaying = true
        self.session.core.relay(self.key)
        self.activate()
        self.session.setNeedsPump()
    }

    /// Takes the stream: OPEN_ACK goes out, the channel becomes active.
    ///
    /// Nothing is delivered before, unless the stream is relayed.
    ///
    /// - Parameter acknowledgement: What OPEN_ACK is to say.
    public func accept(_ acknowledgement: OpenAckFrame = OpenAckFrame()) {
        guard self.isUnanswered else { return }
        self.session.core.accept(self.key, acknowledgement: acknowledgement)
        self.isRelaying = false
        self.activate()
        self.session.setNeedsPump()
    }

    /// Refuses the stream: the other side knows that nothing of it was delivered.
    ///
    /// - Parameters:
    ///   - code: Why.
    ///   - reason: For the other side's logs.
    public func reject(code: ErrorCode, reason: String = "") {
        guard self.isUnanswered else { return }
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
        self.reset(code: code, reason: reason, telling: nil)
    }

    /// Resets the stream, of which its handlers are told why.
    func reset(code: ErrorCode, reason: String, telling error: StreamError?) {
        guard self.state != .closed else { return }
        self.session.core.reset(self.key, code: code, reason: reason)
        if let error { self.pipeline.fireErrorCaught(error) }
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

    /// Never became active: its handlers get no event.
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

    func deliver() {
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

    func completePromises(sent: UInt64) {
        while let first = self.promises.first, first.offset <= sent {
            self.promises.removeFirst()
            first.promise.succeed()
        }
    }

    func failPromises(_ error: any Error) {
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
        self.group?.removed()
        // As other channels do: handlers are still there for whoever closed the channel from inside one.
        self.eventLoop.execute {
            self.removeHandlers(pipeline: self.pipeline)
            self.closePromise.succeed()
        }
    }
}
