// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Bounds and time-outs of visitors' connections and their requests.
package struct ProxySettings: Sendable {
    /// The time for a request's head (`http.head-timeout`).
    package let headTimeout: TimeAmount
    /// The time between two requests (`http.keep-alive-timeout`).
    package let keepAliveTimeout: TimeAmount
    /// The time in which a body has to make progress (`http.stall-timeout`).
    package let stallTimeout: TimeAmount
    /// The longest head of a request, in bytes (`http.max-head-size`).
    package let maximumHeadBytes: Int
    /// The most fields of a request's head (`http.max-fields`).
    package let maximumFields: Int
    /// What unfinished requests of all visitors hold together, in bytes (`http.max-unfinished-size`).
    package let maximumUnfinishedBytes: Int
    /// Which statuses errors of the edge have (`errors.status-map`).
    package let statusMap: VisitorError.StatusMap
    /// The time for the origin's head (`tunnel.request-timeout`).
    package let requestTimeout: TimeAmount
    /// The time that a connector has to reach the origin (`tunnel.connect-timeout`).
    package let connectTimeout: TimeAmount
    /// How long a request waits for a connector that is likely to come back (`tunnel.reconnect-hold`).
    package let reconnectHold: TimeAmount
    /// How long a request waits for a tunnel that is not known yet (`tunnel.unknown-hold`).
    package let unknownHold: TimeAmount
    /// Whether requests of tunnels' pages that lack the prefix are led back (`public.path-fallback`).
    package let hasPathFallback: Bool
    /// Whether connections to origins serve more than one request, where the tunnel's policy allows it
    /// (`origin.reuse`).
    package let reusesOriginConnections: Bool

    /// Makes settings; what is left out has its default.
    package init(
        headTimeout: TimeAmount = .seconds(10),
        keepAliveTimeout: TimeAmount = .seconds(75),
        stallTimeout: TimeAmount = .seconds(60),
        maximumHeadBytes: Int = 64 << 10,
        maximumFields: Int = 128,
        maximumUnfinishedBytes: Int = 32 << 20,
        statusMap: VisitorError.StatusMap = .rfc,
        requestTimeout: TimeAmount = .seconds(100),
        connectTimeout: TimeAmount = .seconds(5),
        reconnectHold: TimeAmount = .seconds(5),
        unknownHold: TimeAmount = .zero,
        hasPathFallback: Bool = true,
        reusesOriginConnections: Bool = true
    ) {
        self.headTimeout = headTimeout
        self.keepAliveTimeout = keepAliveTimeout
        self.stallTimeout = stallTimeout
        self.maximumHeadBytes = maximumHeadBytes
        self.maximumFields = maximumFields
        self.maximumUnfinishedBytes = maximumUnfinishedBytes
        self.statusMap = statusMap
        self.requestTimeout = requestTimeout
        self.connectTimeout = connectTimeout
        self.reconnectHold = reconnectHold
        self.unknownHold = unknownHold
        self.hasPathFallback = hasPathFallback
        self.reusesOriginConnections = reusesOriginConnections
    }
}
