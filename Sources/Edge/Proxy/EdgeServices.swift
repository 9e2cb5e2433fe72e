// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// What every connection of the public listener works with.
struct EdgeServices: Sendable {
    let http: EdgeConfiguration.HTTP
    let tunnels: EdgeConfiguration.Tunnels
    let router: PublicRouter
    let trust: VisitorTrust
    let registry: any TunnelRegistry
    let controlPlane: any ControlPlane
    let connectEndpoint: any ConnectEndpoint
    let accessLog: AccessLog
    /// The requests for tunnels that are not known yet.
    let arrivals = ConnectionCount(limit: 1_024)
}
