// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Settings that may change while the edge runs.
final class LiveSettings: Sendable {
    private let settings: Mutex<ControlSettings>

    /// Makes the holder of the settings.
    init(_ settings: ControlSettings) {
        self.settings = Mutex(settings)
    }

    /// The settings of the moment.
    var current: ControlSettings {
        get { self.settings.withLock { $0 } }
        set { self.settings.withLock { $0 = newValue } }
    }
}

/// What the control API is set to.
struct ControlSettings: Equatable, Sendable {
    /// The URL under which visitors and connectors reach this edge, without a trailing slash (`public.url`).
    var publicURL: String
    /// The names that nobody can have.
    var reservedNames: Set<String> = ControlSettings.alwaysReserved
    /// For how long a tunnel token is valid, in seconds (`tunnel.token-lifetime`).
    var tokenLifetime: TimeInterval = 30 * 86_400
    /// For how long the old tokens of a tunnel work after a new one was asked for, in seconds (`tunnel.token-overlap`).
    var tokenOverlap: TimeInterval = 600
    /// The most sessions that a policy may ask for (`tunnel.max-connections`).
    var maxConnections = 100

    /// Names that stand for something else in a path, of visitors or of the API.
    static let alwaysReserved: Set<String> = ["api", "healthz", "readyz", "metrics", "create", "list"]

    /// A policy's schema within the bounds of this edge.
    func bounded(_ schema: PolicySchema) -> PolicySchema {
        schema.limiting("max_connections", to: self.maxConnections)
    }

    /// The URL under which visitors reach a tunnel, with its trailing slash.
    func publicURL(of id: TunnelID) -> String {
        "\(self.publicURL)/\(id)/"
    }
}
