// SPDX-License-Identifier: Apache-2.0

import Mux
import Protocol

extension ConnectionFault {
    /// What the end of a stream, or of a visitor's socket, means.
    init(_ error: StreamError) {
        switch (error.origin, error.code) {
        // Nobody has answered OPEN: a connector that is there rejects it in time.
        case (.resetLocally, .deadlineExceeded), (.resetByPeer, .deadlineExceeded): self = .connectorLost
        case (_, .connectRefused), (_, .connectTimeout), (_, .hostUnreachable), (_, .dnsFailure), (_, .localTLSError),
            (_, .deadlineExceeded), (_, .targetUnknown), (_, .unsupportedKind):
            self = .originUnreachable
        case (_, .cancelled): self = .visitorReset
        case (_, .streamIdle): self = .idle
        case (.rejected, _): self = .tunnelBusy
        case (.sessionLost, _), (.resetLocally, _), (_, .sessionClosing), (_, .authExpired): self = .connectorLost
        case (.resetByPeer, _): self = .originReset
        }
    }

    /// What the end of a visitor's own stream or socket means.
    init(ofVisitor error: StreamError) {
        switch error.code {
        case .streamIdle: self = .idle
        case .authExpired: self = .accessDenied
        // Whichever way a visitor's session ends, the visitor is gone.
        default: self = .visitorReset
        }
    }

    /// Whether neither of the two ends wanted it.
    var isMadeByEdge: Bool {
        switch self {
        case .visitorReset, .originReset: false
        default: true
        }
    }

    /// The code by which a visitor with a session of its own is told.
    var code: ErrorCode {
        switch self {
        case .tooManyConnections, .tooManyVisitors, .tunnelBusy: .overloaded
        case .accessDenied, .proxyHeader: .policyDenied
        case .tunnelNotFound, .noServerName: .targetUnknown
        case .tunnelOffline: .hostUnreachable
        case .originUnreachable: .connectRefused
        case .originReset: .localReset
        case .connectorLost: .sessionClosing
        case .visitorReset: .cancelled
        case .idle: .streamIdle
        }
    }

    /// What a person is told.
    var sentence: String {
        switch self {
        case .tooManyConnections: "the edge has as many connections as it may have"
        case .tooManyVisitors: "the tunnel has as many visitors as it may have"
        case .accessDenied: "the tunnel lets nobody in from this address"
        case .tunnelNotFound: "there is no such tunnel"
        case .noServerName: "the visitor named no tunnel"
        case .proxyHeader: "the connection did not begin with the PROXY header that was due"
        case .tunnelOffline: "no connector serves the tunnel"
        case .tunnelBusy: "the connector has no room for another connection"
        case .originUnreachable: "the connector can't reach the local server"
        case .originReset: "the local server reset the connection"
        case .connectorLost: "the connector was lost"
        case .visitorReset: "the visitor reset the connection"
        case .idle: "no byte passed for too long"
        }
    }
}
