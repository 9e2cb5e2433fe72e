// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// A link as other threads hold it.
struct LinkHandle: Hashable, Sendable {
    private let bound: NIOLoopBound<PeerLink>
    private let id: ObjectIdentifier

    /// The handle of a link; on its event loop.
    init(_ link: PeerLink) {
        self.bound = NIOLoopBound(link, eventLoop: link.eventLoop)
        self.id = ObjectIdentifier(link)
    }

    /// Does something with the link, on its event loop.
    func run(_ body: @escaping @Sendable (PeerLink) -> Void) {
        self.bound.eventLoop.execute { body(self.bound.value) }
    }

    static func == (one: Self, other: Self) -> Bool { one.id == other.id }

    func hash(into hasher: inout Hasher) {
        hasher.combine(self.id)
    }
}
