// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels
import Mux
import NIOCore
import Protocol
import SystemErrors

/// Who looks after a joint; called on the event loop of the visitor's end.
protocol JointSupervisor: AnyObject {
    /// The stream ended before the connector had taken it, and nothing of it has reached an origin.
    ///
    /// - Returns: Whether another stream takes its place.
    func streamWasRefused(_ error: StreamError) -> Bool
    /// The connection breaks off because of this.
    ///
    /// - Parameters:
    ///   - error: What happened.
    ///   - byVisitor: Whether it happened at the visitor's end.
    func jointBroke(_ error: StreamError, byVisitor: Bool)
}

/// One of the two ends of a joint: the handler that writes what its channel reads to the other end's channel.
///
/// Each end belongs to its channel's event loop. Where both are on the same one every call goes straight through; else
/// bytes cross in bursts, one hop for what one read brought, and ``CrossingCredit`` bounds what is under way. An end
/// reads only while the other one's channel takes more.
final class JointEnd: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Partner {
        case none
        case here(JointEnd)
        case elsewhere(NIOLoopBound<JointEnd>)
    }

    private let eventLoop: any EventLoop
    private var partner = Partner.none
    private var context: ChannelHandlerContext?
    private var state = JointEndState()
    /// Mirrored where the partner is on another event loop.
    private var isPartnerWritable = true
    private var credit = CrossingCredit()
    private var burst: [ByteBuffer] = []
    private var pace: BytePace?
    private var isPaused = false
    private var isReadHeld = false
    /// Whether to read before there is a partner: who finds out which tunnel is meant needs it.
    private var readsAlone = false
    private var isReadingStopped = false
    private var hasUnflushedBytes = false
    /// Whether the other side has taken the end's stream.
    private var isAccepted = false

    /// Looks after the joint; at the visitor's end alone, until the channel is closed.
    private var supervisor: (any JointSupervisor)?
    /// What may have to be sent again; at the visitor's end alone, until the stream is taken.
    private var firstBytes: FirstBytes?
    /// The bytes that were read.
    private(set) var readBytes = 0
    /// The bytes that were written.
    private(set) var writtenBytes = 0

    /// The end of a stream of a session.
    init(streamOn eventLoop: any EventLoop, pace: BytePace? = nil) {
        self.eventLoop = eventLoop
        self.pace = pace
    }

    /// The end of a visitor.
    init(visitorOn eventLoop: any EventLoop, supervisor: any JointSupervisor) {
        self.eventLoop = eventLoop
        self.supervisor = supervisor
        self.firstBytes = FirstBytes()
    }

    // MARK: Joining

    /// What the visitor has sent before there was a stream that takes it.
    var unacceptedBytes: [ByteBuffer] { self.firstBytes?.parts ?? [] }

    /// Reads, or does not, before there is a partner.
    func readAlone(_ readsAlone: Bool) {
        self.readsAlone = readsAlone
        self.releaseRead()
    }

    /// Slows the end down.
    func setPace(_ pace: BytePace) {
        self.pace = pace
    }

    /// Connects the other end, which has been given the first bytes.
    ///
    /// - Parameters:
    ///   - end: The other end.
    ///   - eventLoop: Its event loop.
    ///   - given: How many parts of ``unacceptedBytes`` it has.
    func join(_ end: NIOLoopBound<JointEnd>, given: Int) {
        self.partner = end.eventLoop === self.eventLoop ? .here(end.value) : .elsewhere(end)
        self.isPartnerWritable = true
        self.credit = CrossingCredit()
        for part in self.unacceptedBytes.dropFirst(given) { self.pass(part) }
        self.passFlush()
        if self.state.hasInputEnded { self.tell(.finish) }
        self.releaseRead()
    }

    /// Writes to the end's channel before the other end writes.
    func begin(with parts: [ByteBuffer]) {
        guard let context = self.context, !parts.isEmpty else { return }
        for part in parts { context.write(self.wrapOutboundOut(part), promise: nil) }
        context.flush()
    }

    private var isJoined: Bool {
        if case .none = self.partner { false } else { true }
    }

    // MARK: Reading

    private var mayRead: Bool {
        guard !self.isPaused, !self.isReadingStopped, self.firstBytes?.hasRoom ?? true else { return false }
        switch self.partner {
        case .none: return self.readsAlone
        case .here(let end): return end.context?.channel.isWritable ?? false
        case .elsewhere: return self.isPartnerWritable && self.credit.hasRoom
        }
    }

    private func releaseRead() {
        guard self.isReadHeld, self.mayRead, let context = self.context else { return }
        self.isReadHeld = false
        context.read()
    }

    private func pause(_ time: TimeAmount) {
        guard time > .zero, !self.isPaused else { return }
        self.isPaused = true
        self.eventLoop.assumeIsolated().scheduleTask(in: time) {
            self.isPaused = false
            self.releaseRead()
        }
    }

    // MARK: Towards the other end

    private func pass(_ bytes: ByteBuffer) {
        switch self.partner {
        case .none: break
        case .here(let end): end.write(bytes)
        case .elsewhere: self.burst.append(bytes)
        }
    }

    private func passFlush() {
        switch self.partner {
        case .none: break
        case .here(let end): end.context?.flush()
        case .elsewhere(let end):
            guard !self.burst.isEmpty else { return }
            let burst = self.burst
            self.burst.removeAll(keepingCapacity: true)
            self.credit.left(burst.reduce(0) { $0 + $1.readableBytes })
            end.eventLoop.execute { end.value.take(burst) }
        }
    }

    private func tell(_ signal: JointSignal?) {
        guard let signal else { return }
        switch self.partner {
        case .none: break
        case .here(let end): end.told(signal)
        case .elsewhere(let end): end.eventLoop.execute { end.value.told(signal) }
        }
    }

    private func onPartner(_ body: @escaping @Sendable (JointEnd) -> Void) {
        switch self.partner {
        case .none: break
        case .here(let end): body(end)
        case .elsewhere(let end): end.eventLoop.execute { body(end.value) }
        }
    }

    // MARK: From the other end

    private func write(_ bytes: ByteBuffer) {
        self.writtenBytes += bytes.readableBytes
        self.context?.write(self.wrapOutboundOut(bytes), promise: nil)
    }

    private func take(_ burst: [ByteBuffer]) {
        let before = self.writtenBytes
        for part in burst { self.write(part) }
        self.context?.flush()
        let taken = self.credit.took(self.writtenBytes - before)
        if taken > 0 {
            self.onPartner { end in
                end.credit.acknowledged(taken)
                end.releaseRead()
            }
        }
    }

    private func told(_ signal: JointSignal) {
        if case .abort(let error) = signal, let supervisor = self.supervisor {
            if error.isRetrySafe, self.firstBytes != nil, !self.state.isOver, supervisor.streamWasRefused(error) {
                self.partner = .none
                return
            }
            if !self.state.isOver { supervisor.jointBroke(error, byVisitor: false) }
        }
        guard self.state.told(signal) else { return }
        switch signal {
        case .finish: self.finish()
        case .stopReading: self.isReadingStopped = true
        case .abort(let error): self.abort(error)
        }
    }

    /// Half-closes the channel behind what is queued for it.
    ///
    /// NIO turns the half-close of a channel whose input is closed into a full close, and drops what is still queued;
    /// the empty write completes behind that.
    private func finish() {
        guard let channel = self.context?.channel else { return }
        guard !(channel is StreamChannel) else {
            self.state.outputShut()
            return channel.close(mode: .output, promise: nil)
        }
        let written = channel.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenSuccess {
            // Noted first: if the peer has closed its direction already, the next call closes the channel.
            self.state.outputShut()
            channel.close(mode: .output, promise: nil)
        }
        channel.writeAndFlush(ByteBuffer(), promise: written)
    }

    private func abort(_ error: StreamError) {
        guard let channel = self.context?.channel else { return }
        guard let stream = channel as? StreamChannel else { return channel.closeWithReset() }
        // One that is relayed: what the connector refused is refused here, nothing was delivered.
        if stream.isUnanswered, error.isRetrySafe { return stream.reject(code: error.code, reason: error.reason) }
        stream.reset(code: error.code, reason: error.reason)
    }

    /// Breaks the joint off from here: the visitor is reset, and so is the stream.
    func breakOff(_ error: StreamError) {
        self.tell(self.state.failed(error))
        self.abort(error)
    }

    /// Ends a stream whose visitor has left before the two were joined.
    func leave() {
        let error = StreamError(code: .cancelled, reason: "the visitor left", origin: .resetLocally, isRetrySafe: false)
        _ = self.state.failed(error)
        self.abort(error)
    }

    private func partnerWasAccepted() {
        self.firstBytes = nil
        // One that is relayed has waited for this.
        (self.context?.channel as? StreamChannel)?.accept()
        self.releaseRead()
    }

    private func partnerChanged(isWritable: Bool) {
        self.isPartnerWritable = isWritable
        if isWritable { self.releaseRead() }
    }

    // MARK: The channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        self.partner = .none
    }

    func read(context: ChannelHandlerContext) {
        if self.mayRead { context.read() } else { self.isReadHeld = true }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = self.unwrapInboundIn(data)
        guard !self.isReadingStopped else { return }
        self.readBytes += bytes.readableBytes
        self.hasUnflushedBytes = true
        self.firstBytes?.append(bytes)
        if self.isJoined { self.pass(bytes) }
        if let pause = self.pace?.read(bytes.readableBytes, now: .now()) { self.pause(pause) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.hasUnflushedBytes = false
        self.passFlush()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let isWritable = context.channel.isWritable
        switch self.partner {
        case .none: break
        case .here(let end): if isWritable { end.releaseRead() }
        case .elsewhere(let end): end.eventLoop.execute { end.value.partnerChanged(isWritable: isWritable) }
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed {
            if self.hasUnflushedBytes { self.channelReadComplete(context: context) }
            self.tell(self.state.inputEnded())
        } else if let event = event as? StreamEvent {
            switch event {
            case .accepted:
                self.isAccepted = true
                self.onPartner { $0.partnerWasAccepted() }
            case .peerStoppedReading: self.tell(self.state.peerStoppedReading())
            // Bytes of a connection are not sent twice.
            case .peerIsSilent: break
            case .peerIsGivenUp: if !self.isAccepted { self.giveUp() }
            }
        }
    }

    /// Breaks the joint off, since nobody waits any more for whoever has not taken the end's stream.
    private func giveUp() {
        let reason = "nothing comes over the session"
        self.tell(
            self.state.failed(StreamError(code: .sessionLost, reason: reason, origin: .sessionLost, isRetrySafe: false))
        )
        (self.context?.channel as? StreamChannel)?.reset(code: .cancelled, reason: reason)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // NIO sends no channelReadComplete for bytes that it read in the same burst as the error.
        if self.hasUnflushedBytes { self.channelReadComplete(context: context) }
        self.broke(self.state.failed(error as? StreamError ?? Self.failure(by: error)))
    }

    /// The end of a visitor's own connection.
    private static func failure(by error: any Error) -> StreamError {
        StreamError(
            code: .cancelled,
            reason: TransportFault.words(error),
            origin: .resetByPeer,
            isRetrySafe: false
        )
    }

    private func broke(_ signal: JointSignal?) {
        if case .abort(let error) = signal { self.supervisor?.jointBroke(error, byVisitor: true) }
        self.tell(signal)
    }

    func channelInactive(context: ChannelHandlerContext) {
        // What was read in the same burst as the end.
        if self.hasUnflushedBytes { self.channelReadComplete(context: context) }
        self.broke(self.state.closed())
        self.supervisor = nil
        self.firstBytes = nil
        self.partner = .none
    }
}
