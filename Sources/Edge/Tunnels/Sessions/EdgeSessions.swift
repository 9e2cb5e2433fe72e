// SPDX-License-Identifier: Apache-2.0

import Mux
import NIOCore
import Protocol

/// What the edge's side of every session brings along.
package enum EdgeSessions {
    /// How many tunnels may share a session, those included that are about to be replaced.
    static let maximumTunnels = 2_048

    /// The configuration.
    ///
    /// Streams that stand for tunnels carry no bytes, so the credit that each begins with is the least there is.
    package static var configuration: SessionConfiguration {
        var configuration = SessionConfiguration(role: .edge)
        configuration.capabilities = [.sharing, .renewal]
        configuration.settings.maximumStreams = UInt32(Self.maximumTunnels)
        configuration.settings.initialWindow = 16_384
        // What these pin at most is set aside, and not to be missed elsewhere.
        configuration.budget += Self.maximumTunnels * 16_384
        return configuration
    }

    /// Has sessions outlive their connection for so long; not at all for zero.
    package static func resume(within window: TimeAmount, _ configuration: inout SessionConfiguration) {
        guard window > .zero else { return }
        configuration.capabilities.insert(.resume)
        configuration.settings.resumeMilliseconds = UInt32(clamping: window.nanoseconds / 1_000_000)
    }
}
