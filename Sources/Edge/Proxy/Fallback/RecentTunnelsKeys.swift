// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// The keys of ``SignedRecentTunnels``, which may change while the edge runs; for every thread.
package final class RecentTunnelsKeys: Sendable {
    private let current: Mutex<SignedRecentTunnels>

    /// - Parameter secrets: The keys that sign tokens, of which the first one signs.
    package init(secrets: [[UInt8]]) {
        self.current = Mutex(SignedRecentTunnels(secrets: secrets))
    }

    /// Takes up other keys.
    package func replace(with secrets: [[UInt8]]) {
        let cookie = SignedRecentTunnels(secrets: secrets)
        self.current.withLock { $0 = cookie }
    }

    /// The cookie with the keys of the moment.
    var cookie: SignedRecentTunnels { self.current.withLock { $0 } }
}
