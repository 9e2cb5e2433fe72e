// SPDX-License-Identifier: Apache-2.0

import Logging

/// Who hears of the local server, and of the requests it gets; called on the event loops of the sessions.
struct OriginObserver: Sendable {
    /// Hears when the local server can't be reached, and when it can again.
    let report: @Sendable (StatusEvent) -> Void
    /// Hears of requests and answers; nothing where nobody looks, and then no byte is looked at.
    let exchange: (@Sendable (HTTPTap.Event) -> Void)?

    init(
        report: @escaping @Sendable (StatusEvent) -> Void,
        exchange: (@Sendable (HTTPTap.Event) -> Void)? = nil
    ) {
        self.report = report
        self.exchange = exchange
    }

    /// An observer that logs how the local server fares, and sees no requests.
    init(logger: Logger) {
        self.init { logger.report($0) }
    }
}
