// SPDX-License-Identifier: Apache-2.0

import Mux
import NIOCore
import Protocol

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What an edge tells another one of a tunnel whose streams it passes on (docs/protocol.md §B.20).
struct LinkNotice: Codable, Equatable {
    /// The most bytes that one has.
    static let maximumBytes = 16_384

    /// Whether nothing comes from any session that the tunnel has there.
    let isSilent: Bool?

    private enum CodingKeys: String, CodingKey {
        case isSilent = "silent"
    }

    /// The notice as it is sent.
    var encoded: ByteBuffer? { (try? JSONEncoder().encode(self)).map { ByteBuffer(bytes: $0) } }
}

/// Reads a stream of kind `notice` that another edge has opened.
final class LinkNoticeReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var bytes = ByteBuffer()
    private let told: (LinkNotice) -> Void

    private init(told: @escaping (LinkNotice) -> Void) {
        self.told = told
    }

    /// Accepts the stream and reads it to its end.
    ///
    /// - Parameter told: Called with the notice, unless it can't be read.
    static func read(_ stream: StreamChannel, told: @escaping (LinkNotice) -> Void) {
        do {
            try stream.pipeline.syncOperations.addHandler(LinkNoticeReader(told: told))
            stream.accept()
        } catch {
            stream.reject(code: .internalError, reason: "the stream could not be set up")
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        guard self.bytes.readableBytes + bytes.readableBytes <= LinkNotice.maximumBytes else {
            return context.close(promise: nil)
        }
        self.bytes.writeBuffer(&bytes)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else { return }
        if let notice = try? JSONDecoder().decode(LinkNotice.self, from: Data(self.bytes.readableBytesView)) {
            self.told(notice)
        }
        context.close(promise: nil)
    }
}
