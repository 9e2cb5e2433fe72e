// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Bounds and time-outs of visitors' connections and their requests.
package struct ProxySettings: Sendable {
    /// The time for a request's head (`http.head-timeout`).
    package var headTimeout = TimeAmount.seconds(10)
    /// The time between two requests (`http.keep-alive-timeout`).
    package var keepAliveTimeout = TimeAmount.seconds(75)
    /// The time in which a body has to make progress (`http.stall-timeout`).
    package var stallTimeout = TimeAmount.seconds(60)
    /// The longest head of a request, in bytes (`http.max-head-size`).
    package var maximumHeadBytes = 64 << 10
    /// The most fields of a request's head (`http.max-fields`).
    package var maximumFields = 128
    /// Which statuses errors of the edge have (`errors.status-map`).
    package var statusMap = VisitorError.StatusMap.rfc
    /// The time for the origin's head (`tunnel.request-timeout`).
    package var requestTimeout = TimeAmount.seconds(30)
    /// The time that a connector has to reach the origin (`tunnel.connect-timeout`).
    package var connectTimeout = TimeAmount.seconds(5)
    /// How long a request waits for a connector that is likely to come back (`tunnel.reconnect-hold`).
    package var reconnectHold = TimeAmount.seconds(5)
    /// How long a request waits for a tunnel that is not known yet (`tunnel.unknown-hold`).
    package var unknownHold = TimeAmount.zero
    /// Whether requests of tunnels' pages that lack the prefix are led back (`public.path-fallback`).
    package var hasPathFallback = true
    /// Whether connections to origins serve more than one request, where the tunnel's policy allows it
    /// (`origin.reuse`).
    package var reusesOriginConnections = true

    /// Makes the settings that are the defaults.
    package init() {}
}
