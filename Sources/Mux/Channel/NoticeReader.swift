// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

/// Reads a stream of kind `notice` that the peer has opened: a small message and FIN (docs/protocol.md §B.17, §B.20).
package final class NoticeReader: ChannelInboundHandler {
    package typealias InboundIn = ByteBuffer

    /// The most bytes that a notice has; of one that has more nothing is told.
    package static let maximumBytes = 16 << 10

    private var bytes = ByteBuffer()
    private let told: (ByteBuffer) -> Void

    private init(told: @escaping (ByteBuffer) -> Void) {
        self.told = told
    }

    /// Accepts the stream and reads it to its end.
    ///
    /// - Parameters:
    ///   - stream: The stream, not answered yet.
    ///   - told: Called with the message, on the stream's event loop.
    package static func read(_ stream: StreamChannel, told: @escaping (ByteBuffer) -> Void) {
        do {
            try stream.pipeline.syncOperations.addHandler(NoticeReader(told: told))
            stream.accept()
        } catch {
            stream.reject(code: .internalError, reason: "the stream could not be set up")
        }
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        guard self.bytes.readableBytes + bytes.readableBytes <= Self.maximumBytes else {
            return context.close(promise: nil)
        }
        self.bytes.writeBuffer(&bytes)
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else { return }
        self.told(self.bytes)
        context.close(promise: nil)
    }
}
