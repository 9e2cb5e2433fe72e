// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Stands before TLS until the first bytes have come, and answers those of a request without TLS: to its visitor a failed
/// handshake would be an empty reply.
///
/// No record of TLS begins with a letter, as every request does (RFC 8446 §5.1, RFC 9110 §9.1).
package final class PlainRequestGate: ChannelInboundHandler, RemovableChannelHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer

    private let status: Int

    /// - Parameter statusMap: Which status the answer has.
    package init(_ statusMap: VisitorError.StatusMap) {
        self.status = VisitorError.tlsRequired.status(statusMap)
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = self.unwrapInboundIn(data)
        let pipeline = context.pipeline.syncOperations
        if let first = bytes.readableBytesView.first, (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(first) {
            do {
                let refusal = RefusingHandler(plain: bytes, status: self.status)
                try pipeline.addHandler(refusal, position: .after(self))
            } catch {
                context.close(promise: nil)
            }
        } else {
            context.fireChannelRead(data)
        }
        pipeline.removeHandler(context: context, promise: nil)
    }
}
