// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Synchronization

/// The ``ConnectPacing`` of an edge, from any thread.
package final class ConnectPace: Sendable {
    /// How many connectors are let in a second by default.
    package static let defaultPerSecond = 75

    private let pacing: Mutex<ConnectPacing>

    /// Makes a pace; see ``ConnectPacing/init(perSecond:now:)``.
    package init(perSecond: Int = ConnectPace.defaultPerSecond) {
        self.pacing = Mutex(ConnectPacing(perSecond: perSecond, now: Self.now))
    }

    /// A connector wants to be let in now.
    package func arrive() -> ConnectPacing.Decision {
        self.pacing.withLock { $0.arrive(now: Self.now) }
    }

    /// Takes up a changed setting.
    package func replace(perSecond: Int) {
        self.pacing.withLock { $0 = ConnectPacing(perSecond: perSecond, now: Self.now) }
    }

    private static var now: Double { Double(NIODeadline.now().uptimeNanoseconds) / 1e9 }
}
