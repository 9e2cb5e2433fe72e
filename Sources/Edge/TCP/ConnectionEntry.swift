// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels

/// Counts and writes down visitors' connections to tunnels that are not of HTTP; from any thread.
package protocol ConnectionRecorder: AnyObject, Sendable {
    /// A connection has begun; ``finished(_:)`` follows.
    func started(_ kind: TunnelKind)
    /// A connection is over.
    func finished(_ entry: ConnectionEntry)
}

/// What is logged of one visitor's connection.
package struct ConnectionEntry: Equatable, Sendable {
    /// The number of the connection in logs.
    package let id: RequestID
    /// The tunnel; `nil` for a visitor who named none.
    package let tunnelID: TunnelID?
    /// The edge whose connector has the connection; `nil` for a connector of this edge, or none.
    package let otherEdge: PodID?
    /// What the tunnel carries.
    package let kind: TunnelKind
    /// The port that the visitor came to.
    package let port: UInt16?
    /// Bytes from the visitor.
    package let bytesReceived: Int
    /// Bytes to the visitor.
    package let bytesSent: Int
    /// From the first moment to the last.
    package let milliseconds: Double
    /// The visitor's address.
    package let remoteAddress: IPAddress?
    /// Why it did not end in order; `nil` if it did.
    package let fault: ConnectionFault?
}

/// Why a connection ended otherwise than by both sides finishing; the raw value is its code in logs and metrics.
package enum ConnectionFault: String, CaseIterable, Sendable {
    /// The edge, or the visitor's address, has as many connections as it may have.
    case tooManyConnections = "too_many_connections"
    /// The tunnel has as many visitors as it may have.
    case tooManyVisitors = "too_many_visitors"
    /// The visitor's address is not allowed.
    case accessDenied = "access_denied"
    /// The port has no tunnel any more.
    case tunnelNotFound = "tunnel_not_found"
    /// The visitor of the port for tunnels of TLS did not say in time, by a server name, which tunnel is meant.
    case noServerName = "no_server_name"
    /// The load balancer in front sent no right PROXY header in time, or somebody else sent one.
    case proxyHeader = "proxy_header"
    /// No connector came back in time.
    case tunnelOffline = "tunnel_offline"
    /// The connector has no room for another stream.
    case tunnelBusy = "tunnel_busy"
    /// The connector can't reach the local server.
    case originUnreachable = "origin_unreachable"
    /// The local server, or its connector, reset the connection.
    case originReset = "origin_reset"
    /// The connector was lost.
    case connectorLost = "connector_lost"
    /// The visitor reset the connection, or left before it was over.
    case visitorReset = "visitor_reset"
    /// No byte passed for as long as `tcp.idle-timeout` allows.
    case idle = "idle_timeout"
}
