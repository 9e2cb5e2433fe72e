// SPDX-License-Identifier: Apache-2.0

import HTTP1
import NIOCore

/// What passed of one message.
package struct MessageCapture: Sendable {
    /// The head, byte for byte.
    package var head: [UInt8]
    /// The body.
    package var body = BodyCapture()
    /// The trailer section with its empty line; empty if there were no trailers.
    package var trailers: [UInt8] = []

    /// Makes a message of which the head has passed.
    package init(head: [UInt8], body: BodyCapture = BodyCapture(), trailers: [UInt8] = []) {
        self.head = head
        self.body = body
        self.trailers = trailers
    }
}

/// Who said something.
package enum CaptureSide: String, Sendable {
    case visitor
    case server
}
