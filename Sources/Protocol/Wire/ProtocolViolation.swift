// SPDX-License-Identifier: Apache-2.0

/// Something on the wire that no conforming peer sends: the session ends with its code (docs/protocol.md §B.9.4).
public struct ProtocolViolation: Error, Equatable, Sendable {
    /// The code that GOAWAY will carry.
    public var code: ErrorCode
    /// What was wrong, for logs.
    public var reason: String
    /// The limit that was passed, if that is what was wrong.
    public var limit: PeerLimit?

    /// Makes a violation.
    ///
    /// - Parameters:
    ///   - code: The code that GOAWAY will carry.
    ///   - reason: What was wrong, for logs.
    public init(_ code: ErrorCode, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    /// Makes a violation of a limit, with the limit's code.
    ///
    /// - Parameters:
    ///   - limit: The limit that was passed.
    ///   - reason: What was wrong, for logs.
    public init(exceeding limit: PeerLimit, _ reason: String) {
        self.init(limit.code ?? .enhanceCalm, reason)
        self.limit = limit
    }
}

extension ProtocolViolation: CustomStringConvertible {
    /// For logs.
    public var description: String { "\(self.code): \(self.reason)" }
}
