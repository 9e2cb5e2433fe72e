// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Mux
import NIOCore
import NIOFoundationCompat
import Protocol

/// Reads a stream of kind `notice`: what the edge has to tell of a tunnel (docs/protocol.md §B.17).
final class NoticeReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var bytes = ByteBuffer()
    private let told: (TunnelNotice) -> Void

    private init(told: @escaping (TunnelNotice) -> Void) {
        self.told = told
    }

    /// Accepts the stream and reads it to its end.
    ///
    /// - Parameter told: Called with the notice, unless it can't be read.
    static func read(_ stream: StreamChannel, told: @escaping (TunnelNotice) -> Void) {
        do {
            try stream.pipeline.syncOperations.addHandler(NoticeReader(told: told))
            stream.accept()
        } catch {
            stream.reject(code: .internalError, reason: "the stream could not be set up")
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        guard self.bytes.readableBytes + bytes.readableBytes <= TunnelNotice.maximumBytes else {
            return context.close(promise: nil)
        }
        self.bytes.writeBuffer(&bytes)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else { return }
        if let notice = try? JSONDecoder().decode(TunnelNotice.self, from: Data(buffer: self.bytes)) {
            self.told(notice)
        }
        context.close(promise: nil)
    }
}

extension TunnelNotice.Connector {
    /// What a person reads; the edge's own words go to a terminal.
    var shownText: String {
        let place = self.remoteAddress.map { " at \($0)" } ?? ""
        return PeerText.printable(String("\(self.implementation ?? "a connector")\(place)".prefix(80)))
    }
}
