// SPDX-License-Identifier: Apache-2.0

/// Which tunnels the directory has yet to be told about: each once, however often it changed, and never twice at a time.
///
/// A value without clocks; bounded by the number of tunnels.
struct DirtyTunnels<ID: Hashable & Sendable>: Sendable {
    private var queue: [ID] = []
    private var queued: Set<ID> = []
    private var underWay: Set<ID> = []
    /// What has changed while it was under way.
    private var again: Set<ID> = []
    private var failed: Set<ID> = []

    init() {}

    /// How many are to be told of.
    var count: Int { self.queued.count + self.underWay.count + self.failed.count }

    /// Something about a tunnel has changed.
    mutating func mark(_ id: ID) {
        self.failed.remove(id)
        if self.underWay.contains(id) {
            self.again.insert(id)
        } else if self.queued.insert(id).inserted {
            self.queue.append(id)
        }
    }

    /// What to tell next; ``done(_:)`` or ``failed(_:)`` has to follow.
    ///
    /// What changes meanwhile is told afterwards.
    mutating func next() -> ID? {
        guard let id = self.queue.popLast() else { return nil }
        self.queued.remove(id)
        self.underWay.insert(id)
        return id
    }

    /// The directory knows.
    mutating func done(_ id: ID) {
        self.underWay.remove(id)
        if self.again.remove(id) != nil { self.mark(id) }
    }

    /// The directory did not answer; it is told again after ``retry()``, or when something changes.
    mutating func failed(_ id: ID) {
        self.underWay.remove(id)
        if self.again.remove(id) != nil { self.mark(id) } else { self.failed.insert(id) }
    }

    /// The directory answers again.
    mutating func retry() {
        let failed = self.failed
        for id in failed { self.mark(id) }
    }
}
