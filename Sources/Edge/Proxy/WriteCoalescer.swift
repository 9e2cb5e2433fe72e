// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Puts small pieces that come together, such as a head and a short body, into one buffer: to copy them costs less than
/// to queue each.
struct WriteCoalescer {
    /// Up to how many bytes pieces are put together.
    private static let small = 4_096

    private var waiting: ByteBuffer?

    /// Adds bytes; returns those that go to the channel now.
    mutating func add(_ bytes: ByteBuffer) -> ByteBuffer? {
        guard let before = self.waiting?.readableBytes else {
            self.waiting = bytes
            return nil
        }
        guard before + bytes.readableBytes > Self.small else {
            self.waiting?.writeImmutableBuffer(bytes)
            return nil
        }
        let ready = self.waiting
        self.waiting = bytes
        return ready
    }

    /// Takes what waits.
    mutating func take() -> ByteBuffer? {
        self.waiting.take()
    }
}
