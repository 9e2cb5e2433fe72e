// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels
import Mux
import NIOCore
import Protocol

/// What both sides of a link bring along: what a connector's session has for one tunnel, a link has for many.
enum LinkSessions {
    /// How many streams each side may have at a time.
    static let maximumStreams: UInt32 = 16_384
    /// How many each may open in a second.
    static let opensPerSecond = 50_000.0

    /// Sets what is the same for all links.
    ///
    /// The credit that each stream begins with is the least there is; once streams are taken it grows as they need it.
    static func configure(_ configuration: inout SessionConfiguration, pod: PodID) {
        configuration.capabilities = [.peer]
        configuration.settings.pod = pod.description
        configuration.settings.maximumStreams = Self.maximumStreams
        configuration.settings.initialWindow = 16_384
        configuration.budget = (128 << 20) + Int(Self.maximumStreams) * 16_384
        configuration.opensPerSecond = Self.opensPerSecond
        configuration.maximumWaitingOpens = 4_096
        // Whoever waits for a link is not to wait for an edge that has frozen since it took the connection.
        configuration.helloTimeout = .seconds(2)
    }
}
