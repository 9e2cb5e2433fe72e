// SPDX-License-Identifier: Apache-2.0

import Inspection
import Mux
import NIOCore
import NIOSSL
import Protocol

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A stream and the local connection that serves it, from OPEN to the end of both.
///
/// Belongs to the event loop of the session. The handlers of both channels retain it until their channel closes.
final class OriginPipe {
    let stream: StreamChannel
    private var local: (any Channel)?
    private var streamEnd: PipeHandler?
    private var localEnd: PipeHandler?
    private var state: PipeCloseState
    /// When what was queued before FIN has gone out; `nil` before FIN.
    private var sentBeforeFinish: EventLoopFuture<Void>?
    private var onReady: (() -> Void)?
    private var onFailure: ((any Error) -> Void)?
    private(set) var isStreamOver = false
    /// Called when the stream breaks.
    var onStreamFailure: ((any Error) -> Void)?
    /// Reads the requests that pass; `nil` where nobody looks.
    let capture: PipeCapture?
    /// Counts the bytes that pass; `nil` where nobody looks.
    let meter: ConnectionMeter?

    init(
        stream: StreamChannel,
        carrying traffic: PipeCloseState.Traffic,
        capture: PipeCapture? = nil,
        meter: ConnectionMeter? = nil
    ) {
        self.stream = stream
        self.state = PipeCloseState(traffic)
        self.capture = capture
        self.meter = meter
    }

    /// Adds the handler to the stream; it reads nothing until the local connection stands.
    func attachStream() throws {
        let end = PipeHandler(side: .stream, pipe: self)
        try self.stream.pipeline.syncOperations.addHandler(end)
        self.streamEnd = end
    }

    /// Takes the connected local channel, and with TLS runs its handshake.
    ///
    /// - Parameters:
    ///   - local: The channel, whose automatic reading is still off.
    ///   - tls: The handler to put between the socket and the pipe.
    ///   - onReady: Runs when bytes can flow.
    ///   - onFailure: Runs instead if the channel breaks before that.
    func attachLocal(
        _ local: any Channel,
        tls: NIOSSLClientHandler?,
        onReady: @escaping () -> Void,
        onFailure: @escaping (any Error) -> Void
    ) throws {
        self.local = local
        self.onFailure = onFailure
        let end = PipeHandler(side: .local, pipe: self)
        self.localEnd = end
        if let tls {
            self.onReady = onReady
            // The handshake has to read although the pipe is not joined yet.
            end.readsWithoutPartner = true
            try local.pipeline.syncOperations.addHandler(end)
            try local.pipeline.syncOperations.addHandler(tls, position: .first)
            try local.syncOptions?.setOption(.autoRead, value: true)
        } else {
            try local.pipeline.syncOperations.addHandler(end)
            onReady()
        }
    }

    /// Accepts the stream and connects both ends, so that bytes flow both ways.
    func join() throws {
        guard let streamEnd, let localEnd, let local else { return }
        self.onFailure = nil
        localEnd.readsWithoutPartner = false
        streamEnd.join(localEnd)
        localEnd.join(streamEnd)
        self.stream.accept()
        streamEnd.releaseRead()
        localEnd.releaseRead()
        try local.syncOptions?.setOption(.autoRead, value: true)
    }

    func localIsReady() {
        let ready = self.onReady
        self.onReady = nil
        ready?()
    }

    func streamFinished() {
        self.perform(self.state.streamFinished())
    }

    func streamStoppedReading() {
        self.capture?.streamStoppedReading()
        self.perform(self.state.streamStoppedReading())
    }

    func streamFailed(_ error: any Error) {
        self.isStreamOver = true
        self.onStreamFailure?(error)
        self.onStreamFailure = nil
        let code = (error as? StreamError)?.code ?? .internalError
        self.closed(code == .sessionLost ? .sessionLost : .streamFailed)
        self.perform(self.state.streamFailed(code))
    }

    func streamClosed() {
        self.isStreamOver = true
        self.closed(.streamClosed)
        self.perform(self.state.streamClosed())
    }

    func localFinished() {
        self.capture?.localFinished()
        self.perform(self.state.localFinished())
    }

    func localFailed(_ error: any Error) {
        guard !self.failBeforeJoin(error) else { return }
        self.closed(.localFailed)
        self.perform(self.state.localFailed(Self.code(of: error)))
    }

    func localClosed() {
        guard !self.failBeforeJoin(ChannelError.eof) else { return }
        self.closed(.localClosed)
        self.perform(self.state.localClosed())
    }

    private func closed(_ ending: PipeEnding) {
        self.capture?.closed(ending)
        self.meter?.closed(ending)
    }

    /// Resets the local connection; neither `onReady` nor `onFailure` is called afterwards.
    func abandonLocal() {
        self.onFailure = nil
        self.onReady = nil
        _ = self.state.localClosed()
        self.abortLocal()
    }

    private func failBeforeJoin(_ error: any Error) -> Bool {
        guard let onFailure = self.onFailure else { return false }
        self.onFailure = nil
        self.onReady = nil
        onFailure(error)
        return true
    }

    private func perform(_ action: PipeCloseState.Action) {
        switch action {
        case .nothing:
            break
        case .finishLocal:
            self.finishLocal()
        case .stopReadingLocal:
            self.localEnd?.stopReading()
        case .closeLocal:
            self.local?.close(promise: nil)
        case .abortLocal:
            self.abortLocal()
        case .finishStream:
            self.finishStream()
        case .stopReadingStream(let code):
            self.stream.stopReading(code: code)
        case .resetStream(let code):
            self.resetStream(code)
        }
    }

    private func finishStream() {
        self.sentBeforeFinish = self.stream.writeAndFlush(ByteBuffer())
        self.stream.close(mode: .output, promise: nil)
    }

    /// Half-closes the local socket once everything queued for it is written.
    ///
    /// NIO turns the half-close of a channel whose input is closed into a full close, and drops what is still queued;
    /// the empty write completes behind that.
    private func finishLocal() {
        guard let local else { return }
        let written = local.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenSuccess {
            // Noted first: if the origin has closed its direction already, the next call closes the channel.
            self.state.localOutputShut()
            local.close(mode: .output, promise: nil)
        }
        local.writeAndFlush(ByteBuffer(), promise: written)
    }

    /// Closes the local socket with a RST, which no reader takes for the end of a message.
    private func abortLocal() {
        guard let local else { return }
        if let socket = local as? any SocketOptionProvider {
            _ = socket.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        }
        // A close that passes the TLS handler sends close_notify and waits for the answer; this one starts behind it.
        if let tls = try? local.pipeline.syncOperations.context(handlerType: NIOSSLClientHandler.self) {
            tls.close(mode: .all, promise: nil)
        } else {
            local.close(promise: nil)
        }
    }

    /// Resets the stream once the edge has had time to pass on what the origin sent before.
    ///
    /// A server that refuses an upload answers and closes, and its system then resets the connection. On RESET the edge
    /// drops what it has not passed on yet (docs/protocol.md §B.6.1), so RESET waits until the response is written, and
    /// ``readingTime`` longer. STOP_SENDING goes out at once: the rest of the request has no reader.
    private func resetStream(_ code: ErrorCode) {
        let stream = self.stream
        let failedAt = NIODeadline.now()
        let hasJustRead = self.localEnd?.lastRead.map { failedAt - $0 < Self.readingTime } ?? false
        stream.stopReading(code: code)
        let sent = self.sentBeforeFinish ?? stream.writeAndFlush(ByteBuffer())
        sent.assumeIsolated().whenComplete { _ in
            let reset = { stream.reset(code: code, reason: "the local connection was reset") }
            let hadToWait = NIODeadline.now() - failedAt > .milliseconds(1)
            guard hasJustRead || hadToWait else { return reset() }
            stream.eventLoop.assumeIsolated().scheduleTask(in: Self.readingTime, reset)
        }
    }

    /// How long the edge gets to pass on the last bytes of a response whose connection was reset.
    private static let readingTime = TimeAmount.milliseconds(500)

    private static func code(of error: any Error) -> ErrorCode {
        guard let error = error as? IOError else { return .localIOError }
        return error.errnoCode == ECONNRESET || error.errnoCode == EPIPE ? .localReset : .localIOError
    }
}
