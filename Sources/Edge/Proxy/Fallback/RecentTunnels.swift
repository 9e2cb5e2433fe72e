// SPDX-License-Identifier: Apache-2.0
import ControlAPI

/// The tunnels whose pages a browser opened last, the newest first.
struct RecentTunnels: Equatable {
    /// A tunnel, and when the browser opened it.
    struct Entry: Equatable {
        let id: TunnelID
        /// In seconds since 1970.
        let openedAt: Int
    }

    /// How many are remembered: what opens more at once has to ask for a tunnel by its whole path.
    static let limit = 4
    /// For how long a tunnel is remembered, in seconds.
    static let lifetime = 12 * 3_600
    /// For how long a tunnel that was opened counts as open, in seconds.
    static let openTime = 30 * 60
    /// How old an entry becomes before it is written anew, in seconds: the cookie changes seldom.
    static let refreshTime = 5 * 60

    private(set) var entries: [Entry]

    init(_ entries: [Entry] = []) {
        self.entries = Array(entries.prefix(Self.limit))
    }

    /// The browser opened a page of a tunnel.
    ///
    /// - Returns: Whether the browser has to be told.
    mutating func open(_ id: TunnelID, now: Int) -> Bool {
        if let newest = self.entries.first, newest.id == id, now - newest.openedAt < Self.refreshTime { return false }
        self.entries.removeAll { $0.id == id || now - $0.openedAt >= Self.lifetime }
        self.entries.insert(Entry(id: id, openedAt: now), at: 0)
        if self.entries.count > Self.limit { self.entries.removeLast() }
        return true
    }
}
