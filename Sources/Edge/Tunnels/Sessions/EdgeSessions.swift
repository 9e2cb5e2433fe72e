// SPDX-License-Identifier: Apache-2.0

import Mux
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
}
