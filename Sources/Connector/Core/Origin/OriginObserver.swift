// SPDX-License-Identifier: Apache-2.0

import Protocol

/// Whether the local server can be reached.
package enum OriginEvent: Equatable, Sendable {
    /// It can't be reached; reported once, not once a request.
    case unreachable(target: String, code: ErrorCode, reason: String)
    /// It can be reached again.
    case reachable(target: String)
}

/// Receives events of the local server and of the requests that it gets; called on the event loops of the sessions.
package struct OriginObserver: Sendable {
    /// Called when the local server can't be reached, and when it can again.
    let report: @Sendable (OriginEvent) -> Void
    /// Called for requests and responses; if `nil`, no byte is parsed.
    let exchange: (@Sendable (HTTPCapture.Event) -> Void)?

    /// - Parameters:
    ///   - report: Called when the local server can't be reached, and when it can again.
    ///   - exchange: Called for requests and responses; without it no byte is parsed.
    package init(
        report: @escaping @Sendable (OriginEvent) -> Void,
        exchange: (@Sendable (HTTPCapture.Event) -> Void)? = nil
    ) {
        self.report = report
        self.exchange = exchange
    }

    /// An observer that does nothing.
    package static let none = OriginObserver { _ in }
}
