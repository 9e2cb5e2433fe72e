// SPDX-License-Identifier: Apache-2.0

import HTTP1
import Mux
import Protocol

/// An error that the edge makes and a visitor meets: each with a stable code (docs/errors.md).
package enum VisitorError: String, CaseIterable, Error {
    case tunnelNotFound = "tunnel_not_found"
    case tunnelAmbiguous = "tunnel_ambiguous"
    case tunnelOffline = "tunnel_offline"
    case originRefused = "origin_refused"
    case originUnresolved = "origin_unresolved"
    case originTLSFailed = "origin_tls_failed"
    case originConnectTimeout = "origin_connect_timeout"
    case originClosed = "origin_closed"
    case originInvalidResponse = "origin_invalid_response"
    case originTimeout = "origin_timeout"
    case sessionLost = "session_lost"
    case tooManyStreams = "too_many_streams"
    case tooManyConnections = "too_many_connections"
    case tooManyFromVisitor = "too_many_from_visitor"
    case rateLimited = "rate_limited"
    case badRequest = "bad_request"
    case headerTooLarge = "header_too_large"
    case requestTimeout = "request_timeout"
    case versionNotSupported = "version_not_supported"
    case tlsRequired = "tls_required"
    case accessDenied = "access_denied"
    case loginRequired = "login_required"
    case loopDetected = "loop_detected"
    case registryUnavailable = "registry_unavailable"
    case signatureInvalid = "signature_invalid"
    case bodyTooLarge = "body_too_large"
    case inboxFull = "inbox_full"
    case inboxUnavailable = "inbox_unavailable"

    /// The code, in errors and logs.
    package var code: String { self.rawValue }

    /// Which statuses errors have (`errors.status-map`).
    package enum StatusMap: String, CaseIterable, Sendable {
        /// Those that RFC 9110 suggests.
        case rfc
        /// Those whose bodies a content delivery network lets through.
        case cdn
    }

    /// The status by a column of the map: behind some networks the bodies of 502 and 504 are replaced.
    package func status(_ map: StatusMap) -> Int {
        let isCDN = map == .cdn
        switch self {
        case .tunnelNotFound: return 404
        case .tunnelAmbiguous: return 409
        case .tunnelOffline, .tooManyStreams, .tooManyConnections, .registryUnavailable: return 503
        case .inboxFull, .inboxUnavailable: return 503
        case .bodyTooLarge: return 413
        case .originRefused, .originUnresolved, .originTLSFailed, .originClosed, .sessionLost: return isCDN ? 503 : 502
        case .originConnectTimeout, .originTimeout: return isCDN ? 503 : 504
        case .originInvalidResponse: return isCDN ? 500 : 502
        case .rateLimited, .tooManyFromVisitor: return 429
        case .badRequest, .tlsRequired: return 400
        case .headerTooLarge: return 431
        case .requestTimeout: return 408
        case .versionNotSupported: return 505
        case .accessDenied: return 403
        case .loginRequired, .signatureInvalid: return 401
        case .loopDetected: return 508
        }
    }

    /// What happened, in one sentence.
    var title: String {
        switch self {
        case .tunnelNotFound: "There is no tunnel at this address."
        case .tunnelAmbiguous: "The request may be for more than one tunnel that this browser has opened."
        case .tunnelOffline: "Nothing serves this tunnel now: the culvert beside its app is not connected."
        case .originRefused: "The connector can't reach the local server behind this tunnel."
        case .originUnresolved: "The connector finds no address for the name of the local server behind this tunnel."
        case .originTLSFailed: "The connector can't agree on TLS with the local server behind this tunnel."
        case .originConnectTimeout: "The local server behind this tunnel did not take the connection in time."
        case .originClosed: "The local server closed the connection before it answered."
        case .originInvalidResponse: "The local server answered with something that is not HTTP."
        case .originTimeout: "The local server did not answer in time."
        case .sessionLost: "The connection to the tunnel's connector was lost."
        case .tooManyStreams: "The tunnel serves as many requests as it can."
        case .tooManyConnections: "The edge serves as many connections as it can."
        case .tooManyFromVisitor: "This address has as many requests under way as the tunnel lets one have."
        case .rateLimited: "There were too many requests in a short time."
        case .badRequest: "The request is not well-formed HTTP."
        case .headerTooLarge: "The request's head is too large."
        case .requestTimeout: "The request did not arrive in time."
        case .versionNotSupported: "This version of HTTP is not spoken here."
        case .tlsRequired: "A plain HTTP request was sent to a port that speaks HTTPS."
        case .accessDenied: "The tunnel does not admit this address."
        case .loginRequired: "The tunnel asks for a name and a password."
        case .loopDetected: "The request goes round in a circle: the tunnel leads back to the edge."
        case .registryUnavailable: "The edge can't find out now where this tunnel is."
        case .signatureInvalid: "The request's signature is missing, too old or wrong."
        case .bodyTooLarge: "Nothing is connected to the tunnel, and the body is larger than what its inbox keeps."
        case .inboxFull: "Nothing is connected to the tunnel, and its inbox is full."
        case .inboxUnavailable: "Nothing is connected to the tunnel, and its inbox can't keep anything now."
        }
    }

    /// What to do about it, in one sentence.
    var advice: String {
        switch self {
        case .tunnelNotFound: "Check the address. If the tunnel is yours, start it with culvert http PORT."
        case .tunnelAmbiguous:
            "Choose the tunnel, or open it at a host of its own: its app asks for paths without the tunnel's prefix."
        case .tunnelOffline: "Come back later. If the tunnel is yours, start culvert beside the app, and reload."
        case .originRefused: "Start the local server, on the port that the connector forwards to."
        case .originUnresolved:
            "Correct the name in the connector's target, or have it resolve on the connector's machine."
        case .originTLSFailed:
            "Have the connector trust the local server's certificate, or forward to a server of plain HTTP by http://."
        case .originConnectTimeout: "Check that the local server is not overloaded and the connector's target is right."
        case .originClosed: "Look into the local server's log for what ended the request."
        case .originInvalidResponse:
            "Forward to a server of HTTP: for one of HTTPS write https://, for SSH and others use culvert tcp."
        case .originTimeout: "Look into what the local server waits for, or raise the tunnel's request time-out."
        case .sessionLost: "Reload: the connector connects again by itself."
        case .tooManyStreams, .tooManyConnections, .registryUnavailable: "Try again in a moment."
        case .tooManyFromVisitor:
            "End some of them, or ask the tunnel's owner for a higher max_requests_per_visitor."
        case .rateLimited: "Wait as long as Retry-After says."
        case .signatureInvalid: "Sign with the secret that the tunnel's owner has set for its inbox."
        case .bodyTooLarge: "Send it again once the connector is back, or have keep.body_bytes of the inbox raised."
        case .inboxFull: "Start the connector, or have what is dead deleted: culvert inbox list shows it."
        case .inboxUnavailable: "Send it again in a moment; the edge's log says why."
        case .badRequest: "Correct the program that sent it."
        case .headerTooLarge: "Send fewer or shorter fields: cookies are the usual reason."
        case .requestTimeout: "Send the request again."
        case .versionNotSupported: "Use HTTP/1.1."
        case .tlsRequired: "Write https:// instead of http:// in front of the address."
        case .accessDenied: "Ask the tunnel's owner to admit your address."
        case .loginRequired: "Send the credentials that the tunnel's owner gave you."
        case .loopDetected: "Forward to the local server's own port, and not to the edge."
        }
    }

    /// Whether the visitor's connection is closed behind the answer: nothing that follows could be understood, or what the
    /// connection takes is needed for others.
    var endsConnection: Bool {
        switch self {
        case .badRequest, .tlsRequired, .tooManyConnections, .tooManyFromVisitor: true
        default: false
        }
    }

    /// Which side has to act.
    var side: String {
        switch self {
        case .tunnelNotFound, .tunnelAmbiguous, .tunnelOffline, .sessionLost, .loopDetected, .bodyTooLarge: "tunnel"
        case .originRefused, .originUnresolved, .originTLSFailed, .originConnectTimeout, .originClosed,
            .originInvalidResponse, .originTimeout:
            "origin"
        case .tooManyStreams, .tooManyConnections, .rateLimited, .registryUnavailable: "edge"
        case .inboxFull, .inboxUnavailable: "edge"
        default: "visitor"
        }
    }

    /// What a stream's failure before the response means to the visitor (docs/protocol.md §B.11).
    ///
    /// - Parameters:
    ///   - error: How the stream ended.
    ///   - wasAccepted: Whether the connector had taken it.
    init(_ error: StreamError, wasAccepted: Bool) {
        switch error.code {
        // Nobody has answered OPEN, not even that the local server takes its time: it is not to blame.
        case .deadlineExceeded where error.origin != .rejected && !wasAccepted: self = .sessionLost
        case .connectRefused, .hostUnreachable, .targetUnknown: self = .originRefused
        case .dnsFailure: self = .originUnresolved
        case .localTLSError: self = .originTLSFailed
        case .connectTimeout: self = .originConnectTimeout
        case .deadlineExceeded, .streamIdle: self = .originTimeout
        case .overloaded, .memoryPressure: self = .tooManyStreams
        case .draining: self = .tunnelOffline
        case .policyDenied: self = .accessDenied
        case .sessionLost, .sessionClosing: self = .sessionLost
        default: self = .originClosed
        }
    }
}

extension VisitorError {
    /// What a request that can't be understood means to the visitor.
    init(_ fault: HTTPFault) {
        switch fault.kind {
        case .malformed: self = .badRequest
        case .headTooLarge: self = .headerTooLarge
        case .unsupportedVersion: self = .versionNotSupported
        }
    }
}

extension HTTPFault {
    /// What was wrong, as the beginning of a sentence.
    var sentence: String { "\(self.reason.prefix(1).uppercased())\(self.reason.dropFirst())" }
}
