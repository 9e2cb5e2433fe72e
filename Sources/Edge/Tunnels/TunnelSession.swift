// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Protocol

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// One connector connection that serves a tunnel.
final class TunnelSession: Sendable {
    /// A number that is unique for the life of the edge.
    let id: UInt64
    /// The event loop of the connection; streams may be opened there only.
    let eventLoop: any EventLoop
    /// Where the connector connects from.
    let remoteAddress: String?
    /// When it connected.
    let connectedAt: Date

    /// Makes a session.
    init(id: UInt64, eventLoop: any EventLoop, remoteAddress: String?, connectedAt: Date) {
        self.id = id
        self.eventLoop = eventLoop
        self.remoteAddress = remoteAddress
        self.connectedAt = connectedAt
    }

    /// What the control API shows of the session.
    var status: SessionStatus {
        SessionStatus(
            sessionID: String(self.id),
            remoteAddress: self.remoteAddress,
            implementation: nil,
            connectedAt: self.connectedAt,
            lastActiveAt: nil,
            roundTripMilliseconds: nil,
            activeStreams: 0,
            draining: false
        )
    }

    /// Ends the session because its token is no longer valid.
    func revoke() {}

    /// Ends the session at a time, if its token was issued up to another one.
    func limitLifetime(ifIssuedUntil issuedUntil: Double, to date: Date) {}
}
