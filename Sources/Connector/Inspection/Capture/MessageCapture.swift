// SPDX-License-Identifier: Apache-2.0

import HTTP1
import NIOCore

/// What passed of one message.
package struct MessageCapture: Sendable {
    /// The head, byte for byte.
    package var head: [UInt8]
    /// The body.
    package var body: BodyCapture
    /// The trailer section with its empty line; empty if there were no trailers.
    package var trailers: [UInt8]
    /// The names of fields that passed and are not kept.
    package var dropped: [String]

    /// Makes a message of which the head has passed.
    package init(head: [UInt8], body: BodyCapture = BodyCapture(), trailers: [UInt8] = []) {
        self.head = head
        self.body = body
        self.trailers = trailers
        self.dropped = []
    }

    /// Makes one of which the head has passed, and nothing else but, if it is complete, its end.
    @inline(__always)
    init(head: [UInt8], dropped: [String], isComplete: Bool) {
        self.init(head: head, body: BodyCapture(isComplete: isComplete), dropped: dropped)
    }

    /// Makes one whose parts are moved to where it is: a copy of one retains five objects.
    @inline(__always)
    init(head: [UInt8], body: consuming BodyCapture, dropped: [String]) {
        self.head = head
        self.body = consume body
        self.trailers = []
        self.dropped = dropped
    }

    /// Takes fields out of what is kept.
    mutating func drop(_ fields: DroppedFields) {
        self.note(fields.remove(from: &self.head))
        self.note(fields.remove(from: &self.trailers, hasLine: false))
    }

    /// Notes the names of fields that are not kept.
    mutating func note(_ names: [String]) {
        for name in names where !self.dropped.contains(name) { self.dropped.append(name) }
    }
}

/// Who said something.
package enum CaptureSide: String, Sendable {
    case visitor
    case server
}
