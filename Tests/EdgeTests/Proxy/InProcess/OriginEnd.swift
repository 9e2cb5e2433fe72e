// SPDX-License-Identifier: Apache-2.0

import Foundation
import Mux
import NIOCore
import Protocol

/// An origin's end of a connection, with the connector that leads there: the handler of a stream that it accepts.
final class OriginEnd: ChannelInboundHandler, ScriptedEnd {
    typealias InboundIn = ByteBuffer

    private(set) var received = Data()
    private(set) var ended: ConnectionEnd?
    private let stream: StreamChannel
    private var isClosed = false

    init(_ stream: StreamChannel) {
        self.stream = stream
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // Nobody reads what comes behind a close, as a connector says of a connection that is gone.
        guard !self.isClosed else { return self.stream.stopReading(code: .localReset) }
        self.received.append(contentsOf: self.unwrapInboundIn(data).readableBytesView)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { self.ended = self.ended ?? .end }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? StreamError else { return }
        self.ended = self.ended ?? (error.code == .noError ? .end : .reset)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.ended = self.ended ?? .end
    }

    func send(_ bytes: Data) {
        self.stream.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
    }

    func shut() {
        self.stream.close(mode: .output, promise: nil)
    }

    func close() {
        self.isClosed = true
        self.shut()
    }

    /// As the connector does it: the edge has half a second to pass on what came before.
    func reset() {
        self.stream.stopReading(code: .localReset)
        let stream = self.stream
        stream.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(500)) { stream.reset(code: .localReset) }
    }
}
