// SPDX-License-Identifier: Apache-2.0

import Protocol

/// How the local server fares.
package enum OriginEvent: Equatable, Sendable {
    /// It can't be reached; told once, not once a request.
    case unreachable(target: String, code: ErrorCode, reason: String)
    /// It can be reached again.
    case reachable(target: String)
}

/// Who hears of the local server, and of the requests it gets; called on the event loops of the sessions.
package struct OriginObserver: Sendable {
    /// Hears when the local server can't be reached, and when it can again.
    let report: @Sendable (OriginEvent) -> Void
    /// Hears of requests and answers; nothing where nobody looks, and then no byte is looked at.
    let exchange: (@Sendable (HTTPCapture.Event) -> Void)?

    /// - Parameters:
    ///   - report: Hears of the local server.
    ///   - exchange: Hears of requests and answers.
    package init(
        report: @escaping @Sendable (OriginEvent) -> Void,
        exchange: (@Sendable (HTTPCapture.Event) -> Void)? = nil
    ) {
        self.report = report
        self.exchange = exchange
    }

    /// Nobody.
    package static let none = OriginObserver { _ in }
}
