// SPDX-License-Identifier: Apache-2.0

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Whether a tunnel can be reached.
package enum TunnelState: String, Codable, CaseIterable, Sendable {
    /// At least one session takes new requests.
    case online
    /// No session at all.
    case offline
    /// Sessions exist, and each of them is about to leave.
    case draining
}

/// One tunnel, as `GET /api/tunnels/{id}/status` and the list show it.
package struct TunnelStatus: Codable, Equatable, Sendable {
    /// The tunnel's id.
    package var tunnelID: String
    /// The name that was asked for, if any.
    package var name: String?
    /// What the tunnel carries; an edge of an earlier version says nothing, and knows HTTP alone.
    package var kind: TunnelKind?
    /// The public URL: of a tunnel of HTTP with its trailing slash.
    package var url: String
    /// Every public URL, the one at a host of the tunnel's own first; an edge of an earlier version names none.
    package var urls: [String]?
    /// Who may visit it; an edge of an earlier version does not say.
    package var visitors: VisitorAdmission?
    /// Whether it can be reached.
    package var state: TunnelState
    /// When this edge learnt of the tunnel.
    package var createdAt: Date
    /// When a visitor's request last used it.
    package var lastActiveAt: Date?
    /// When a connector last answered an echo that the edge sent it through the session: end to end, not only to
    /// whatever proxies stand between.
    package var lastEchoAt: Date?
    /// The connector connections that serve it, of this edge alone.
    package var sessions: [SessionStatus]
    /// The other edges that have some; `nil` if none has, and from an edge of an earlier version.
    package var elsewhere: [OtherEdgeSessions]?
    /// What has passed through it since this edge learnt of it.
    package var counters: TunnelCounters

    /// Makes a status.
    ///
    /// - Parameter urls: The public URLs, of which there is at least one.
    package init(
        tunnelID: String,
        name: String?,
        kind: TunnelKind? = nil,
        urls: [String],
        visitors: VisitorAdmission? = nil,
        state: TunnelState,
        createdAt: Date,
        lastActiveAt: Date?,
        lastEchoAt: Date? = nil,
        sessions: [SessionStatus],
        elsewhere: [OtherEdgeSessions]? = nil,
        counters: TunnelCounters
    ) {
        self.tunnelID = tunnelID
        self.name = name
        self.kind = kind
        self.url = urls.first ?? ""
        self.urls = urls
        self.visitors = visitors
        self.state = state
        self.createdAt = createdAt
        self.lastActiveAt = lastActiveAt
        self.lastEchoAt = lastEchoAt
        self.sessions = sessions
        self.elsewhere = elsewhere
        self.counters = counters
    }

    private enum CodingKeys: String, CodingKey {
        case tunnelID = "tunnel_id"
        case name
        case kind
        case url
        case urls
        case visitors
        case state
        case createdAt = "created_at"
        case lastActiveAt = "last_active_at"
        case lastEchoAt = "last_echo_at"
        case sessions
        case elsewhere
        case counters
    }
}

/// How many connector connections of a tunnel another edge has.
package struct OtherEdgeSessions: Codable, Equatable, Sendable {
    /// The edge, as it calls itself in the log.
    package var pod: String
    /// How many.
    package var sessions: Int

    /// Notes how many an edge has.
    package init(pod: String, sessions: Int) {
        self.pod = pod
        self.sessions = sessions
    }
}

/// One connector connection of a tunnel.
package struct SessionStatus: Codable, Equatable, Sendable {
    /// A number that is unique for the life of the edge.
    package var sessionID: String
    /// Where the connector connects from.
    package var remoteAddress: String?
    /// What the connector calls itself.
    package var implementation: String?
    /// When it connected.
    package var connectedAt: Date
    /// The smoothed round-trip time to the connector in milliseconds, measured end to end by the mux's pings.
    package var roundTripMilliseconds: Double?
    /// When the connector last answered such a ping.
    package var lastEchoAt: Date?
    /// The streams open now.
    package var activeStreams: Int
    /// Whether it is about to leave.
    package var draining: Bool
    /// Since when it has no connection, and waits for its connector to come back; absent while it has one.
    package var suspendedSince: Date?

    /// Makes a session status.
    package init(
        sessionID: String,
        remoteAddress: String?,
        implementation: String?,
        connectedAt: Date,
        roundTripMilliseconds: Double?,
        lastEchoAt: Date? = nil,
        activeStreams: Int,
        draining: Bool,
        suspendedSince: Date? = nil
    ) {
        self.sessionID = sessionID
        self.remoteAddress = remoteAddress
        self.implementation = implementation
        self.connectedAt = connectedAt
        self.roundTripMilliseconds = roundTripMilliseconds
        self.lastEchoAt = lastEchoAt
        self.activeStreams = activeStreams
        self.draining = draining
        self.suspendedSince = suspendedSince
    }

    private enum CodingKeys: String, CodingKey {
        case sessionID = "session_id"
        case remoteAddress = "remote_address"
        case implementation
        case connectedAt = "connected_at"
        case roundTripMilliseconds = "round_trip_ms"
        case lastEchoAt = "last_echo_at"
        case activeStreams = "active_streams"
        case draining
        case suspendedSince = "suspended_since"
    }
}

/// What has passed through a tunnel.
package struct TunnelCounters: Codable, Equatable, Sendable {
    /// The requests, finished or not; of a tunnel of TCP the connections.
    package var requests: UInt64
    /// The requests that ended with an error that the edge made.
    package var errors: UInt64
    /// The same by the errors' codes (docs/errors.md); an edge of an earlier version does not tell.
    package var errorsByCode: [String: UInt64]?
    /// The body bytes from visitors; of a tunnel of TCP all bytes, when a connection is over.
    package var bytesReceived: UInt64
    /// The body bytes to visitors.
    package var bytesSent: UInt64

    /// Makes the counters.
    package init(
        requests: UInt64 = 0,
        errors: UInt64 = 0,
        errorsByCode: [String: UInt64]? = nil,
        bytesReceived: UInt64 = 0,
        bytesSent: UInt64 = 0
    ) {
        self.requests = requests
        self.errors = errors
        self.errorsByCode = errorsByCode
        self.bytesReceived = bytesReceived
        self.bytesSent = bytesSent
    }

    private enum CodingKeys: String, CodingKey {
        case requests
        case errors
        case errorsByCode = "errors_by_code"
        case bytesReceived = "bytes_received"
        case bytesSent = "bytes_sent"
    }
}

/// A page of `GET /api/tunnels/list`.
package struct TunnelList: Codable, Equatable, Sendable {
    /// The tunnels of this page, ordered by id.
    package var tunnels: [TunnelStatus]
    /// What to pass as `cursor` for the next page; `nil` on the last one.
    package var nextCursor: String?
    /// `true` while the edge's registry is away: then these are the tunnels of this edge alone.
    package var partial: Bool?

    /// Makes a page.
    package init(tunnels: [TunnelStatus], nextCursor: String? = nil, partial: Bool? = nil) {
        self.tunnels = tunnels
        self.nextCursor = nextCursor
        self.partial = partial
    }

    private enum CodingKeys: String, CodingKey {
        case tunnels
        case nextCursor = "next_cursor"
        case partial
    }
}
