// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeProxy
import Protocol

extension ProxySettings {
    /// What of an edge's configuration concerns visitors' connections and requests.
    init(_ configuration: EdgeConfiguration) {
        self.init()
        self.headTimeout = configuration.http.headTimeout
        self.keepAliveTimeout = configuration.http.keepAliveTimeout
        self.stallTimeout = configuration.http.stallTimeout
        self.maximumHeadBytes = configuration.http.maxHeadSize.bytes
        self.maximumFields = configuration.http.maxFields
        self.statusMap = configuration.http.statusMap
        self.requestTimeout = configuration.tunnels.requestTimeout
        self.connectTimeout = configuration.tunnels.connectTimeout
        self.reconnectHold = configuration.tunnels.reconnectHold
        self.unknownHold = configuration.tunnels.unknownHold
        self.hasPathFallback = configuration.hasPathFallback
        self.reusesOriginConnections = configuration.tunnels.originReuse == .safe
    }
}
