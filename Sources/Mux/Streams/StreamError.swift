// SPDX-License-Identifier: Apache-2.0
import Protocol

/// Why a stream ended otherwise than by both sides finishing.
public struct StreamError: Error, Hashable, Sendable {
    /// What happened.
    public var code: ErrorCode
    /// What the other side said of it, for logs; never to be shown to a visitor unescaped.
    public var reason: String
    /// Who ended the stream.
    public var origin: Origin
    /// Whether nothing of the stream reached the other side's local service, so that its bytes may be sent again.
    public var isRetrySafe: Bool

    /// Who ended a stream.
    public enum Origin: Hashable, Sendable {
        /// The acceptor, before it delivered a byte.
        case rejected
        /// The other side.
        case resetByPeer
        /// This side.
        case resetLocally
        /// Nobody: the session ended under it.
        case sessionLost
    }

    /// Makes an error.
    public init(code: ErrorCode, reason: String, origin: Origin, isRetrySafe: Bool) {
        self.code = code
        self.reason = reason
        self.origin = origin
        self.isRetrySafe = isRetrySafe
    }
}

extension StreamError: CustomStringConvertible {
    /// For logs.
    public var description: String {
        let who =
            switch self.origin {
            case .rejected: "refused by the other side"
            case .resetByPeer: "reset by the other side"
            case .resetLocally: "reset here"
            case .sessionLost: "lost with its session"
            }
        return self.reason.isEmpty ? "stream \(who): \(self.code)" : "stream \(who): \(self.code) (\(self.reason))"
    }
}
