// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeProxy
import Protocol

extension ProxySettings {
    /// What of an edge's configuration concerns visitors' connections and requests.
    init(_ configuration: EdgeConfiguration) {
        self.init(
            headTimeout: configuration.http.headTimeout,
            keepAliveTimeout: configuration.http.keepAliveTimeout,
            stallTimeout: configuration.http.stallTimeout,
            maximumHeadBytes: configuration.http.maxHeadSize.bytes,
            maximumFields: configuration.http.maxFields,
            maximumUnfinishedBytes: configuration.http.maxUnfinishedSize.bytes,
            statusMap: configuration.http.statusMap,
            requestTimeout: configuration.tunnels.requestTimeout,
            connectTimeout: configuration.tunnels.connectTimeout,
            reconnectHold: configuration.tunnels.reconnectHold,
            unknownHold: configuration.tunnels.unknownHold,
            hasPathFallback: configuration.hasPathFallback,
            reusesOriginConnections: configuration.tunnels.originReuse == .safe
        )
    }
}
