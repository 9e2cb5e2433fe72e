// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

extension SessionHandler {
    /// How many bytes go out before other work of the event loop has its turn.
    private static let bytesPerTick = 256 << 10

    /// Sends before this tick of the event loop ends: whatever makes work calls this, the work is done once.
    func setNeedsPump() {
        guard !self.isPumpScheduled, let context else { return }
        self.isPumpScheduled = true
        context.eventLoop.assumeIsolated().execute {
            guard self.isPumpScheduled else { return }
            self.pump()
        }
    }

    /// Sends what can be sent, with one flush.
    func pump() {
        self.isPumpScheduled = false
        guard let context else { return }
        self.dispatchEvents()
        if self.isOpen, self.writeOutput(limit: Self.bytesPerTick) { context.flush() }
        self.completePromises()
        self.dispatchEvents()
        self.scheduleTick()
    }

    /// Whether anything was written to the channel, not flushed yet.
    @discardableResult
    func writeOutput(limit: Int) -> Bool {
        guard let context else { return false }
        let now = NIODeadline.now()
        // A little less than a TLS record, so that message and WebSocket header fill one (docs/protocol.md §B.1).
        let messageLimit = WireFormat.recordLength - self.encoder.usualHeaderLength
        var written = 0
        while written < limit {
            guard context.channel.isWritable || limit == .max else {
                self.unsentLimit.heldUp()
                break
            }
            guard let batch = self.nextBatch(messageLimit: messageLimit, now: now) else { return written > 0 }
            written += batch.readableBytes
            self.unsentLimit.wrote(batch.readableBytes)
            context.write(self.wrapOutboundOut(batch), promise: nil)
        }
        if written >= limit { self.setNeedsPump() }
        return written > 0
    }

    private func nextBatch(messageLimit: Int, now: NIODeadline) -> ByteBuffer? {
        let bytesPerWrite = self.unsentLimit.channel
        var batch =
            self.context?.channel.allocator.buffer(capacity: self.core.outputEstimate(limit: bytesPerWrite))
            ?? ByteBuffer()
        if let pong = self.pongDue.take() { self.encoder.encode(.pong, pong, into: &batch) }
        while batch.readableBytes <= bytesPerWrite - WireFormat.recordLength {
            let start = self.encoder.begin(in: &batch)
            guard self.core.poll(into: &batch, limit: messageLimit, now: now) else {
                self.encoder.cancel(from: start, in: &batch)
                break
            }
            self.encoder.finish(.binary, from: start, in: &batch)
        }
        return batch.readableBytes > 0 ? batch : nil
    }

    func writeWebSocketFrame(_ body: (inout WebSocketEncoder, inout ByteBuffer) -> Void) {
        guard let context else { return }
        var buffer = context.channel.allocator.buffer(capacity: 32)
        body(&self.encoder, &buffer)
        context.writeAndFlush(self.wrapOutboundOut(buffer), promise: nil)
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
        self.applyUnsentLimit()
    }

    func applyUnsentLimit() {
        guard let options = self.context?.channel.syncOptions else { return }
        let channelLimit = self.unsentLimit.channel
        try? options.setOption(.unsentLowWaterMark, value: self.unsentLimit.kernel)
        try? options.setOption(.writeBufferWaterMark, value: .init(low: channelLimit / 2, high: channelLimit))
    }
}

extension SessionCore {
    /// How large the buffer for the next messages should be, in bytes: what is queued, as far as it may go out.
    func outputEstimate(limit: Int) -> Int {
        guard !self.scheduler.isEmpty else { return 512 }
        // Streams that wait mostly hold either a small answer or more than a message.
        guard let first = self.scheduler.peek() else { return 512 }
        let queued = self.streams[first].sendQueue.byteCount
        return min(limit, max(2_048, queued + 512))
    }
}
