// SPDX-License-Identifier: Apache-2.0
import Mux
import NIOCore

/// What is on its way to a visitor's socket: puts small pieces together, and flushes once for all of them.
///
/// A class, since the channel may call back from within a write or a flush, and what is called may write.
final class VisitorOutput {
    private var pieces = WriteCoalescer()
    private var writes = CompactWrites()
    private var needsFlush = false
    /// Whether what is queued next begins with a head.
    private var beginsWithHead = false
    /// The memory of the head that went out last, with what followed in it.
    private var spare: ByteBuffer?

    /// The largest memory that an idle connection keeps for its next request, in bytes.
    private static let largestSpare = 2 << 10

    /// Writes a response's head, which goes out with the next flush.
    func writeHead(_ bytes: ByteBuffer, to context: ChannelHandlerContext?) {
        self.write(bytes, to: context)
        self.beginsWithHead = true
    }

    /// The memory of the head that went out last: it can be used again as soon as the socket has taken its bytes.
    func takeSpare() -> ByteBuffer? { self.spare.take() }

    /// No more heads are written.
    func endHeads() {
        self.beginsWithHead = false
        self.spare = nil
    }

    /// Writes bytes, which go out with the next flush.
    func write(_ bytes: ByteBuffer, to context: ChannelHandlerContext?) {
        if let ready = self.pieces.add(bytes) { self.queue(ready, context) }
    }

    /// Sends what was written.
    func flush(to context: ChannelHandlerContext?) {
        if let rest = self.pieces.take() { self.queue(rest, context) }
        guard self.needsFlush, let context else { return }
        self.needsFlush = false
        context.flush()
    }

    private func queue(_ bytes: ByteBuffer, _ context: ChannelHandlerContext?) {
        guard let context else { return }
        self.needsFlush = true
        if self.beginsWithHead {
            self.beginsWithHead = false
            self.spare = bytes.storageCapacity <= Self.largestSpare ? bytes : nil
        }
        context.write(NIOAny(self.writes.next(bytes, to: context)), promise: nil)
    }
}

extension ChannelHandlerContext {
    /// Lets another handler have the connection from here on.
    ///
    /// - Parameters:
    ///   - handler: Who has it now, and is removed.
    ///   - next: Who has it then.
    ///   - leftover: What has come for it already.
    func handOver(from handler: some RemovableChannelHandler, to next: any ChannelHandler, _ leftover: ByteBuffer) {
        do {
            // The protocol's own keepalive and limits apply from here on; reading never pauses (§B.7.1).
            try self.channel.syncOptions?.setOption(ChannelOptions.autoRead, value: true)
            try self.pipeline.syncOperations.addHandler(next, position: .after(handler))
            if leftover.readableBytes > 0 {
                self.fireChannelRead(NIOAny(leftover))
                self.fireChannelReadComplete()
            }
            self.pipeline.syncOperations.removeHandler(handler, promise: nil)
        } catch {
            self.close(promise: nil)
        }
    }
}
