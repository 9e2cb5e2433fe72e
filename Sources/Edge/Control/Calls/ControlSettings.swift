// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Settings that may change while the edge runs.
package final class LiveSettings: Sendable {
    private let settings: Mutex<ControlSettings>

    /// Makes the holder of the settings.
    package init(_ settings: ControlSettings) {
        self.settings = Mutex(settings)
    }

    /// The settings of the moment.
    package var current: ControlSettings {
        get { self.settings.withLock { $0 } }
        set { self.settings.withLock { $0 = newValue } }
    }
}

/// What the control API is set to.
package struct ControlSettings: Equatable, Sendable {
    /// The URL under which visitors and connectors reach this edge, without a trailing slash (`public.url`).
    package var publicURL: String
    /// The names that nobody can have.
    package var reservedNames: Set<String> = ControlSettings.alwaysReserved
    /// For how long a tunnel token is valid, in seconds (`tunnel.token-lifetime`).
    package var tokenLifetime: TimeInterval = 30 * 86_400
    /// For how long the old tokens of a tunnel work after a new one was asked for, in seconds (`tunnel.token-overlap`).
    package var tokenOverlap: TimeInterval = 600
    /// The most sessions that a policy may ask for (`tunnel.max-connections`).
    package var maxConnections = 100

    /// Sets what the API is set to.
    package init(
        publicURL: String,
        reservedNames: Set<String> = ControlSettings.alwaysReserved,
        tokenLifetime: TimeInterval = 30 * 86_400,
        tokenOverlap: TimeInterval = 600,
        maxConnections: Int = 100
    ) {
        self.publicURL = publicURL
        self.reservedNames = reservedNames
        self.tokenLifetime = tokenLifetime
        self.tokenOverlap = tokenOverlap
        self.maxConnections = maxConnections
    }

    /// Names that stand for something else in a path, of visitors or of the API.
    package static let alwaysReserved: Set<String> = ["api", "healthz", "readyz", "metrics", "create", "list"]

    /// A policy's schema within the bounds of this edge.
    func bounded(_ schema: PolicySchema) -> PolicySchema {
        schema.limiting("max_connections", to: self.maxConnections)
    }

    /// The URL under which visitors reach a tunnel, with its trailing slash.
    package func publicURL(of id: TunnelID) -> String {
        "\(self.publicURL)/\(id)/"
    }
}
