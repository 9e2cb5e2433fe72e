// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

extension SessionHandler {
    /// How many bytes go out before other work of the event loop has its turn.
    private static let bytesPerTick = 256 << 10

    /// Sends before this tick of the event loop ends: whatever makes work calls this, the work is done once.
    func setNeedsPump() {
        guard !self.isPumpScheduled, let eventLoop else { return }
        self.isPumpScheduled = true
        eventLoop.assumeIsolated().execute {
            guard self.isPumpScheduled else { return }
            self.pump()
        }
    }

    /// Sends what can be sent, with one flush.
    func pump() {
        self.isPumpScheduled = false
        guard self.eventLoop != nil else { return }
        self.dispatchEvents()
        if !self.isReading { self.core.compactUnread() }
        let now = NIODeadline.now()
        if self.isOpen, self.writeOutput(limit: Self.bytesPerTick, now: now) { self.transport.flush() }
        self.completePromises()
        if self.core.hasEvents { self.dispatchEvents() }
        self.scheduleTick(now: now)
    }

    /// Whether anything was written to the channel, not flushed yet.
    @discardableResult
    func writeOutput(limit: Int, now: NIODeadline) -> Bool {
        var written = 0
        while written < limit {
            guard self.transport.isWritable || limit == .max else {
                self.unsentLimit.heldUp()
                break
            }
            guard let batch = self.nextOutput(now: now) else { return written > 0 }
            written += batch.readableBytes
            self.unsentLimit.wrote(batch.readableBytes)
            self.messageLength.wrote(batch.readableBytes, now: now)
            self.transport.write(batch)
        }
        if written >= limit { self.setNeedsPump() }
        return written > 0
    }

    /// The next bytes for the connection, whole WebSocket frames.
    private func nextOutput(now: NIODeadline) -> ByteBuffer? {
        let bytesPerWrite = self.unsentLimit.channel
        switch self.core.output(limit: bytesPerWrite, now: now) {
        case .repetition: return self.nextAgain() ?? self.nextBatch(of: 0, limit: bytesPerWrite, now: now)
        case .messages(let estimate): return self.nextBatch(of: estimate, limit: bytesPerWrite, now: now)
        case .nothing: return self.pongDue == nil ? nil : self.nextBatch(of: 0, limit: bytesPerWrite, now: now)
        }
    }

    private func nextBatch(of estimate: Int, limit: Int, now: NIODeadline) -> ByteBuffer? {
        let capacity = max(estimate, SpareBatches.smallest)
        var batch = self.emptyBatch(holding: capacity)
        if let pong = self.pongDue.take() { self.encoder.encode(.pong, pong, into: &batch) }
        self.core.writeMessages(
            into: &batch,
            framedBy: &self.encoder,
            limit: limit,
            longest: self.messageLength.longest,
            now: now
        )
        guard batch.readableBytes > 0 else {
            self.core.replay.spares.keep(batch)
            return nil
        }
        return batch
    }

    /// A buffer that nobody else holds: to write into another one would copy it.
    private func emptyBatch(holding count: Int) -> ByteBuffer {
        if let spare = self.core.replay.spares.take(holding: count) { return spare }
        return self.transport.allocator.buffer(capacity: count)
    }

    func writeWebSocketFrame(_ body: (inout WebSocketEncoder, inout ByteBuffer) -> Void) {
        var buffer = self.transport.allocator.buffer(capacity: 32)
        body(&self.encoder, &buffer)
        self.transport.write(buffer)
        self.transport.flush()
    }

    /// Completes the promises of writes whose bytes have gone out.
    private func completePromises() {
        guard !self.promising.isEmpty else { return }
        self.promising.removeAll { stream in
            stream.completePromises(sent: self.core.sendProgress(stream.key).sent)
            return !stream.hasPromises
        }
    }

    /// Follows the measured rate with how much may wait below us.
    func adaptUnsentLimit(now: NIODeadline) {
        guard self.unsentLimit.adapt(now: now) else { return }
        self.transport.apply(self.unsentLimit)
    }
}

extension SessionCore {
    /// What there is for the connection.
    enum Output: Equatable {
        case nothing
        /// What an earlier connection may not have brought.
        case repetition
        /// Messages, and how large the buffer for them should be, in bytes.
        case messages(estimate: Int)
    }

    /// Looks whether there is anything to be sent.
    ///
    /// Most looks find nothing, the last of each round for one: they cost no buffer.
    mutating func output(limit: Int, now: NIODeadline) -> Output {
        if self.replay.isRestarting { return .repetition }
        guard !self.isQuiet(now: now) else {
            self.finishBatch()
            return .nothing
        }
        return .messages(estimate: self.outputEstimate(limit: limit))
    }

    /// How large the buffer for the next messages should be, in bytes: what is queued, as far as it may go out.
    private func outputEstimate(limit: Int) -> Int {
        // Streams that wait mostly hold either a small answer or more than a message.
        guard !self.scheduler.isEmpty, let first = self.scheduler.peek() else { return 512 }
        let queued = self.streams[first].sendQueue.byteCount
        return min(limit, max(2_048, queued + 512))
    }

    /// Writes messages, each in a WebSocket frame, and keeps them in case that another connection has to bring them.
    ///
    /// - Parameters:
    ///   - batch: Where to append.
    ///   - encoder: Frames them.
    ///   - limit: How long the batch may become, in bytes.
    ///   - longest: How long a message may be with its WebSocket header, in bytes; shorter if the peer or `limit` wants it.
    ///   - now: The time.
    mutating func writeMessages(
        into batch: inout ByteBuffer,
        framedBy encoder: inout WebSocketEncoder,
        limit: Int,
        longest: Int,
        now: NIODeadline
    ) {
        // Message and WebSocket header fill TLS records (docs/protocol.md §B.1).
        let length = max(min(longest, limit, Int(self.peer?.maximumMessage ?? 0)), WireFormat.recordLength)
        self.dataChunk = WireFormat.dataChunk + length - WireFormat.recordLength
        let messageLimit = length - encoder.usualHeaderLength
        while batch.readableBytes <= limit - length, !self.isQuiet(now: now) {
            let start = encoder.begin(in: &batch)
            let isHello = self.isHelloDue
            guard self.poll(into: &batch, limit: messageLimit, now: now) else {
                encoder.cancel(from: start, in: &batch)
                break
            }
            encoder.finish(.binary, from: start, in: &batch)
            // HELLO is never sent again, so nothing that may be is in one buffer with it.
            if isHello { break }
        }
        if batch.readableBytes > 0 { self.keep(batch) }
    }
}
