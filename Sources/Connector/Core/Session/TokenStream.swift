// SPDX-License-Identifier: Apache-2.0

import Foundation
import Mux
import NIOCore
import Protocol

/// What came of showing the edge a newer token over a session (docs/protocol.md §B.18).
enum TokenOutcome: Equatable, Sendable {
    /// The session goes on by it.
    case taken
    /// The edge refused it, or the session is about to end.
    case refused(ErrorCode)
    /// The edge can't be shown tokens over a session, or not one that long.
    case unsupported
}

extension SessionHandler {
    /// Shows the edge a newer token of a tunnel that the session serves; on the event loop.
    ///
    /// - Parameters:
    ///   - token: The token.
    ///   - outcome: Called once, on the event loop.
    func renew(with token: TunnelToken, _ outcome: @escaping (TokenOutcome) -> Void) {
        guard self.phase == .active else { return outcome(.refused(.draining)) }
        guard self.capabilities.contains(.renewal), token.secret.utf8.count <= OpenMetadata.maximumTokenLength else {
            return outcome(.unsupported)
        }
        var metadata = OpenMetadata(target: token.tunnelID)
        metadata.token = token.secret
        let handler = TokenStream(outcome: outcome)
        do {
            _ = try self.openStream(kind: .token, metadata: metadata) {
                try $0.pipeline.syncOperations.addHandler(handler)
            }
        } catch {
            handler.conclude(.refused(.draining))
        }
    }
}

/// The handler of a stream that shows a token: it has no bytes, and is over when the edge has answered.
private final class TokenStream: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var outcome: ((TokenOutcome) -> Void)?

    init(outcome: @escaping (TokenOutcome) -> Void) {
        self.outcome = outcome
    }

    func conclude(_ result: TokenOutcome) {
        self.outcome.take()?(result)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .accepted = event as? StreamEvent else { return }
        context.close(mode: .output, promise: nil)
        self.conclude(.taken)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.conclude(.refused((error as? StreamError)?.code ?? .cancelled))
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.conclude(.refused(.sessionLost))
    }
}

extension TunnelToken {
    /// How long the token is valid for, by the machine's own clock; an hour if it does not say.
    fileprivate var life: Double { (self.expiresAt ?? 0) - Date().timeIntervalSince1970 }

    /// How long what is in flight may take by this token.
    var remainingLife: TimeAmount {
        guard self.expiresAt != nil else { return .hours(1) }
        return .nanoseconds(Int64(max(1, min(self.life, 86_400)) * 1e9))
    }
}
