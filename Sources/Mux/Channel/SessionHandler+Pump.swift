// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

extension SessionHandler {
    /// How many bytes go out before other work of the event loop has its turn.
    private static let bytesPerTick = 256 << 10
    /// How many bytes of messages are gathered into one buffer for the channel.
    private static let bytesPerWrite = 64 << 10

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
        self.keepPromises()
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
        while written < limit, context.channel.isWritable || limit == .max {
            guard let batch = self.nextBatch(messageLimit: messageLimit, now: now) else { return written > 0 }
            written += batch.readableBytes
            self.lowWaterMark.wrote(batch.readableBytes)
            context.write(self.wrapOutboundOut(batch), promise: nil)
        }
        if written >= limit { self.setNeedsPump() }
        return written > 0
    }

    private func nextBatch(messageLimit: Int, now: NIODeadline) -> ByteBuffer? {
        var batch =
            self.context?.channel.allocator.buffer(capacity: self.core.outputEstimate(limit: Self.bytesPerWrite))
            ?? ByteBuffer()
        if let pong = self.pongDue.take() { self.encoder.encode(.pong, pong, into: &batch) }
        while batch.readableBytes <= Self.bytesPerWrite - WireFormat.recordLength {
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
    private func keepPromises() {
        guard !self.promising.isEmpty else { return }
        self.promising.removeAll { stream in
            stream.keepPromises(sent: self.core.sendProgress(stream.key).sent)
            return !stream.hasPromises
        }
    }

    /// Follows the measured rate with how much the kernel may hold unsent: what is below us can't be overtaken any
    /// more by something more urgent (docs/protocol.md §B.8.5).
    func adaptUnsentLimit(now: NIODeadline) {
        guard let limit = self.lowWaterMark.adapt(now: now), let channel = self.context?.channel else { return }
        try? channel.syncOptions?.setOption(.unsentLowWaterMark, value: limit)
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
