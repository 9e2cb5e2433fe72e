// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// The keys of ``RecentTunnelsCookie``, which may change while the edge runs; for every thread.
package final class RecentTunnelsKeys: Sendable {
    private let current: Mutex<RecentTunnelsCookie>

    /// - Parameter secrets: The keys that sign tokens, of which the first one signs.
    package init(secrets: [[UInt8]]) {
        self.current = Mutex(RecentTunnelsCookie(secrets: secrets))
    }

    /// Takes up other keys.
    package func replace(with secrets: [[UInt8]]) {
        let cookie = RecentTunnelsCookie(secrets: secrets)
        self.current.withLock { $0 = cookie }
    }

    /// The cookie with the keys of the moment.
    var cookie: RecentTunnelsCookie { self.current.withLock { $0 } }
}
