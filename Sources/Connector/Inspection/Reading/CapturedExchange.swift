// SPDX-License-Identifier: Apache-2.0

import NIOCore

extension HTTPCapture {
    /// A request and its response, as far as they have passed.
    package struct Exchange: Equatable, Sendable {
        package var method: String
        /// Without the query.
        package var path: String
        /// The response's status; `nil` if there was no response.
        package var status: Int?
        /// From the end of the request's head to the end of the response's head.
        package var responseTime: TimeAmount?
        /// From the end of the request's head to the end of the response.
        package var duration: TimeAmount?
        /// Whether the response was complete.
        package var isComplete: Bool

        /// Makes an exchange; of one that has just begun the request alone is known.
        package init(
            method: String,
            path: String,
            status: Int? = nil,
            responseTime: TimeAmount? = nil,
            duration: TimeAmount? = nil,
            isComplete: Bool = false
        ) {
            self.method = method
            self.path = path
            self.status = status
            self.responseTime = responseTime
            self.duration = duration
            self.isComplete = isComplete
        }
    }

    /// What the capture reports.
    package enum Event: Equatable, Sendable {
        /// A request's head has passed.
        case began
        /// The response's head has passed.
        case responded(Exchange)
        /// The response has passed, or the connection is closed.
        case ended(Exchange)
        /// The response has passed at once, head and all: that is both of the others, told together.
        case answered(Exchange)

        /// The exchange, if it is over.
        package var end: Exchange? {
            switch self {
            case .began, .responded: nil
            case .ended(let exchange), .answered(let exchange): exchange
            }
        }
    }
}
