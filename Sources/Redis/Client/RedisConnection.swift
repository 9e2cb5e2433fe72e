// SPDX-License-Identifier: Apache-2.0
#if Redis

import DequeModule
import NIOCore
import RESP
import SystemErrors

/// One connection to a Redis server: commands go out as they come, answers come in the same order.
///
/// It lives on its channel's event loop. A server that is frozen closes nothing, so that the deadline of the oldest command
/// ends the connection.
final class RedisConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private struct Waiting {
        var promise: EventLoopPromise<RESPValue>
        var deadline: NIODeadline
    }

    /// Takes what the server says without having been asked.
    private let push: (([RESPValue]) -> Void)?

    /// The most commands that wait for their answers.
    static let capacity = 16_384

    private let reader = RESPReader()
    private let timeout: TimeAmount
    private var context: ChannelHandlerContext?
    private var waiting = Deque<Waiting>()
    private var check: RepeatedTask?
    /// When the server last said anything, or the connection began.
    private var lastHeard = NIODeadline.uptimeNanoseconds(0)
    /// Why the connection is over: NIO drops a write after that, and fails nothing.
    private var end: RedisError?
    private let ended: EventLoopPromise<RedisError>

    /// Fulfilled with the reason when the connection is over.
    var whenEnded: EventLoopFuture<RedisError> { self.ended.futureResult }

    /// Makes the handler of a channel that is about to connect.
    ///
    /// - Parameters:
    ///   - timeout: For how long the server may leave a command without an answer.
    ///   - ended: Fulfilled with the reason when the connection is over.
    ///   - push: Takes the messages of channels that are subscribed to.
    init(timeout: TimeAmount, ended: EventLoopPromise<RedisError>, push: (([RESPValue]) -> Void)? = nil) {
        self.timeout = timeout
        self.ended = ended
        self.push = push
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.lastHeard = context.eventLoop.now
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let interval = TimeAmount.nanoseconds(max(1_000_000, self.timeout.nanoseconds / 4))
        self.check = context.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
            bound.value.look()
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.finish(.lost("closed"))
        self.context = nil
    }

    /// Sends a command.
    func send(_ words: [String]) -> EventLoopFuture<RESPValue>? { self.send(words.map(\.utf8)) }

    /// Sends a command whose words may be any bytes.
    func send<Word: Collection<UInt8>>(_ words: [Word]) -> EventLoopFuture<RESPValue>? {
        guard let context = self.context else { return nil }
        if let end = self.end { return context.eventLoop.makeFailedFuture(RedisError.notConnected("\(end)")) }
        guard self.waiting.count < Self.capacity else { return context.eventLoop.makeFailedFuture(RedisError.busy) }
        let promise = context.eventLoop.makePromise(of: RESPValue.self)
        self.waiting.append(Waiting(promise: promise, deadline: context.eventLoop.now + self.timeout))
        context.writeAndFlush(self.wrapOutboundOut(Self.encode(words, context.channel.allocator)), promise: nil)
        return promise.futureResult
    }

    private static func encode<Word: Collection<UInt8>>(_ words: [Word], _ allocator: ByteBufferAllocator) -> ByteBuffer
    {
        var buffer = allocator.buffer(capacity: words.reduce(16) { $0 + $1.count + 16 })
        buffer.writeString("*\(words.count)\r\n")
        for word in words {
            buffer.writeString("$\(word.count)\r\n")
            buffer.writeBytes(word)
            buffer.writeString("\r\n")
        }
        return buffer
    }

    /// Ends the connection if the oldest command has waited too long, and asks a silent server whether it is there.
    ///
    /// That is about once a second: of a hundred idle edges, with two connections each, it takes some 1.2 % of Redis' core.
    private func look() {
        guard let context = self.context, self.end == nil else { return }
        if let oldest = self.waiting.first {
            if oldest.deadline <= context.eventLoop.now { self.close(.timedOut) }
        } else if context.channel.isActive, context.eventLoop.now - self.lastHeard >= self.timeout {
            _ = self.send(["PING"])
        }
    }

    /// Ends the connection.
    func close(_ error: RedisError) {
        self.finish(error)
        self.context?.close(promise: nil)
    }

    private func finish(_ error: RedisError) {
        guard self.end == nil else { return }
        self.end = error
        self.check?.cancel()
        let waiting = self.waiting
        self.waiting.removeAll()
        for command in waiting { command.promise.fail(error) }
        self.ended.succeed(error)
    }

    // MARK: ChannelInboundHandler

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.lastHeard = context.eventLoop.now
        do {
            try self.unwrapInboundIn(data).withUnsafeReadableBytes { try self.reader.feed($0) }
            while self.end == nil, let value = try self.reader.next() { self.take(value) }
        } catch {
            self.close(.lost("\(error)"))
        }
    }

    private func take(_ value: RESPValue) {
        if let push, let words = value.elements, words.first?.text == "message" { return push(words) }
        guard let command = self.waiting.popFirst() else { return self.close(.lost("an answer to no command")) }
        guard case .error(let why) = value else { return command.promise.succeed(value) }
        command.promise.fail(RedisError.refused(why))
        // A primary that became a replica keeps its connections: the new primary is elsewhere.
        if why.hasPrefix("READONLY") { self.close(.lost("the server is no primary any more")) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.finish(.lost("the server closed it"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Redis sends no close_notify, which TLS calls an error only after the end.
        self.close(.lost(TransportFault.words(error)))
    }
}

#endif
