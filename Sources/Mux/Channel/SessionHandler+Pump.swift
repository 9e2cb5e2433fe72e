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
        if self.isOpen, self.writeOutput(limit: Self.bytesPerTick) { self.transport.flush() }
        self.completePromises()
        self.dispatchEvents()
        self.scheduleTick()
    }

    /// Whether anything was written to the channel, not flushed yet.
    @discardableResult
    func writeOutput(limit: Int) -> Bool {
        let now = NIODeadline.now()
        // A little less than a TLS record, so that message and WebSocket header fill one (docs/protocol.md §B.1).
        let messageLimit = WireFormat.recordLength - self.encoder.usualHeaderLength
        var written = 0
        while written < limit {
            guard self.transport.isWritable || limit == .max else {
                self.unsentLimit.heldUp()
                break
            }
            guard let batch = self.nextAgain() ?? self.nextBatch(messageLimit: messageLimit, now: now) else {
                return written > 0
            }
            written += batch.readableBytes
            self.unsentLimit.wrote(batch.readableBytes)
            self.transport.write(batch)
        }
        if written >= limit { self.setNeedsPump() }
        return written > 0
    }

    private func nextBatch(messageLimit: Int, now: NIODeadline) -> ByteBuffer? {
        let bytesPerWrite = self.unsentLimit.channel
        let estimate = self.core.outputEstimate(limit: bytesPerWrite)
        var batch = self.spareBatch(holding: estimate) ?? self.transport.allocator.buffer(capacity: estimate)
        if let pong = self.pongDue.take() { self.encoder.encode(.pong, pong, into: &batch) }
        while batch.readableBytes <= bytesPerWrite - WireFormat.recordLength {
            let start = self.encoder.begin(in: &batch)
            let isHello = self.core.isHelloDue
            guard self.core.poll(into: &batch, limit: messageLimit, now: now) else {
                self.encoder.cancel(from: start, in: &batch)
                break
            }
            self.encoder.finish(.binary, from: start, in: &batch)
            // HELLO is never sent again, so nothing that may be is in one buffer with it.
            if isHello { break }
        }
        guard batch.readableBytes > 0 else {
            // Most looks for something to send find nothing, the last of each round for one.
            if batch.storageCapacity <= Self.largestSpare { self.spare = batch }
            return nil
        }
        self.core.keep(batch)
        return batch
    }

    /// The largest buffer that is kept for the next look, in bytes.
    private static let largestSpare = 2_048

    private func spareBatch(holding count: Int) -> ByteBuffer? {
        guard let spare, spare.storageCapacity >= count else { return nil }
        self.spare = nil
        return spare
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
    /// How large the buffer for the next messages should be, in bytes: what is queued, as far as it may go out.
    func outputEstimate(limit: Int) -> Int {
        guard !self.scheduler.isEmpty else { return 512 }
        // Streams that wait mostly hold either a small answer or more than a message.
        guard let first = self.scheduler.peek() else { return 512 }
        let queued = self.streams[first].sendQueue.byteCount
        return min(limit, max(2_048, queued + 512))
    }
}
