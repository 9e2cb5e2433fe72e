// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels
import NIOCore

/// Bounds and times of visitors' connections to tunnels that are not of HTTP.
package struct ConnectionSettings: Sendable {
    /// The time that a connector has to reach the origin (`tunnel.connect-timeout`).
    package var connectTimeout: TimeAmount
    /// How long a connection waits for a connector that is likely to come back (`tunnel.reconnect-hold`).
    package var reconnectHold: TimeAmount
    /// After how long without a byte a connection is ended (`tcp.idle-timeout`); `nil` for never.
    package var idleTimeout: TimeAmount?
    /// How long a visitor of TLS may take to name a server (`http.head-timeout`).
    package var nameTimeout: TimeAmount
    /// Whose headers of the PROXY protocol are demanded and believed (`tcp.proxy-protocol`); `nil` if there are none.
    package var proxies: [AddressRange]?

    /// Makes settings; what is left out has its default.
    package init(
        connectTimeout: TimeAmount = .seconds(5),
        reconnectHold: TimeAmount = .seconds(5),
        idleTimeout: TimeAmount? = nil,
        nameTimeout: TimeAmount = .seconds(10),
        proxies: [AddressRange]? = nil
    ) {
        self.connectTimeout = connectTimeout
        self.reconnectHold = reconnectHold
        self.idleTimeout = idleTimeout
        self.nameTimeout = nameTimeout
        self.proxies = proxies
    }
}

/// What every visitor's connection to such a tunnel works with.
package struct ConnectionServices: Sendable {
    let settings: ConnectionSettings
    let registry: any TunnelRegistry
    let places: ConnectionPlaces
    let recorder: any ConnectionRecorder
    let connections: VisitorConnections

    /// Puts together what connections work with.
    ///
    /// - Parameters:
    ///   - settings: Bounds and times.
    ///   - registry: The tunnels.
    ///   - places: Bounds the connections.
    ///   - recorder: Counts and writes down connections.
    ///   - connections: Where connections register.
    package init(
        settings: ConnectionSettings,
        registry: any TunnelRegistry,
        places: ConnectionPlaces,
        recorder: any ConnectionRecorder,
        connections: VisitorConnections
    ) {
        self.settings = settings
        self.registry = registry
        self.places = places
        self.recorder = recorder
        self.connections = connections
    }
}
