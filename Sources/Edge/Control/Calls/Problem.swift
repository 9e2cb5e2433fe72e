// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels
import HTTPTypes

/// The errors of the control API: each with its stable code, its status and what to do about it.
///
/// `docs/errors.md` lists the codes, and a test holds that list to this one.
enum Problem: Error, Equatable {
    case invalidBody(field: String?, detail: String)
    case invalidParameter(field: String, detail: String)
    case missingCredentials
    case invalidCredentials
    case invalidToken
    case oneTimePasswordRequired
    case invalidOneTimePassword
    case notFound
    case tunnelNotFound(TunnelID)
    case methodNotAllowed(allowed: [HTTPRequest.Method])
    case nameTaken(String)
    case nameReserved(String)
    case tooManyTunnels(limit: Int)
    case servedElsewhere(String, by: TunnelNotice.Connector)
    case kindDiffers(String, TunnelKind, isPrivate: Bool)
    case kindNotServed(TunnelKind)
    case portTaken(UInt16)
    case noPortFree(ClosedRange<UInt16>)
    case bodyTooLarge(limit: Int)
    case unsupportedMediaType
    case rateLimited(RateDecision, by: APILimit)
    case draining
    case registryUnavailable
    case crowded(retryAfter: Int)
    case inboxNotServed
    case inboxNotFound(TunnelID)
    case messageNotFound(String, of: TunnelID)
    case tooManyInboxes(limit: Int)
    case inboxUnavailable
    case foreignPage(String)
    case sessionEnded
    case adminsOnly
    case internalError

    /// The stable code.
    var code: String {
        switch self {
        case .invalidBody: "invalid_body"
        case .invalidParameter: "invalid_parameter"
        case .missingCredentials: "missing_credentials"
        case .invalidCredentials: "invalid_credentials"
        case .invalidToken: "invalid_token"
        case .oneTimePasswordRequired: "otp_required"
        case .invalidOneTimePassword: "otp_invalid"
        case .notFound: "not_found"
        case .tunnelNotFound: "tunnel_not_found"
        case .methodNotAllowed: "method_not_allowed"
        case .nameTaken: "name_taken"
        case .nameReserved: "name_reserved"
        case .tooManyTunnels: "too_many_tunnels"
        case .servedElsewhere: "served_elsewhere"
        case .kindDiffers: "kind_differs"
        case .kindNotServed: "kind_not_served"
        case .portTaken: "port_taken"
        case .noPortFree: "no_port_free"
        case .bodyTooLarge: "body_too_large"
        case .unsupportedMediaType: "unsupported_media_type"
        case .rateLimited: "rate_limited"
        case .draining: "draining"
        case .registryUnavailable: "registry_unavailable"
        case .crowded: "crowded"
        case .inboxNotServed: "inbox_not_served"
        case .inboxNotFound: "inbox_not_found"
        case .messageNotFound: "message_not_found"
        case .tooManyInboxes: "too_many_inboxes"
        case .inboxUnavailable: "inbox_unavailable"
        case .foreignPage: "foreign_page"
        case .sessionEnded: "session_ended"
        case .adminsOnly: "admins_only"
        case .internalError: "internal_error"
        }
    }

    /// The HTTP status.
    var status: HTTPResponse.Status {
        switch self {
        case .invalidBody, .invalidParameter: .badRequest
        case .missingCredentials, .invalidCredentials, .invalidToken: .unauthorized
        case .oneTimePasswordRequired, .invalidOneTimePassword, .sessionEnded: .unauthorized
        case .foreignPage, .adminsOnly: .forbidden
        case .notFound, .tunnelNotFound, .inboxNotFound, .messageNotFound: .notFound
        case .methodNotAllowed: .methodNotAllowed
        case .nameTaken, .nameReserved, .tooManyTunnels, .servedElsewhere: .conflict
        case .kindDiffers, .kindNotServed, .portTaken, .noPortFree: .conflict
        case .inboxNotServed, .tooManyInboxes: .conflict
        case .bodyTooLarge: .contentTooLarge
        case .unsupportedMediaType: .unsupportedMediaType
        case .rateLimited: .tooManyRequests
        case .draining, .registryUnavailable, .crowded, .inboxUnavailable: .serviceUnavailable
        case .internalError: .internalServerError
        }
    }

    /// What is wrong, in a sentence that the caller can act on.
    var detail: String {
        switch self {
        case .invalidBody(_, let detail), .invalidParameter(_, let detail): detail
        case .missingCredentials: "Send an API key in the field Authorization: Bearer <key>."
        case .invalidCredentials: "The credentials in the field Authorization are not valid here."
        case .invalidToken:
            "The tunnel token is not valid here, or has been replaced: its owner gets a new one with POST /api/tunnels/{id}/token."
        case .oneTimePasswordRequired: "This key needs a one-time code: send six digits in the field Culvert-OTP."
        case .invalidOneTimePassword: "The code in the field Culvert-OTP is wrong, old or used: wait for the next one."
        case .notFound: "There is no such call; GET /api/openapi.json describes those that there are."
        case .tunnelNotFound(let id): "There is no tunnel \(id), or it belongs to another API key."
        case .methodNotAllowed(let allowed): "Use \(allowed.map(\.rawValue).joined(separator: " or ")) here."
        case .nameTaken(let name): "The name \(name) belongs to another API key: choose another one."
        case .nameReserved(let name): "The name \(name) is reserved: choose another one."
        case .tooManyTunnels(let limit): "This API key already has \(limit) tunnels: delete one first."
        case .servedElsewhere(let name, let other):
            "Another connector (\(Self.words(for: other))) serves \(name) already: on another machine, for another local server or folder, or by another command or file of tunnels. Stop it, choose another name, or share the visitors with it by --pool (pool: on)."
        case .kindDiffers(let name, let kind, let isPrivate):
            "The tunnel \(name) is a \(isPrivate ? "private" : "public") one of kind \(kind): delete it first, or choose another name."
        case .kindNotServed(let kind): Self.howToServe(kind)
        case .portTaken(let port):
            "The port \(port) belongs to another tunnel or program: choose another one, or leave the choice to the edge."
        case .noPortFree(let range):
            "Every port from \(range.lowerBound) to \(range.upperBound) belongs to a tunnel or program: delete a tunnel, or have tcp.ports of the edge widened."
        case .bodyTooLarge(let limit): "The body may have \(limit) bytes at most."
        case .unsupportedMediaType: "Send the body as Content-Type: application/json."
        case .rateLimited(let decision, let limit): "\(limit.complaint): try again in \(decision.resetSeconds) s."
        case .draining: "This edge is about to stop: try again at once, another one will answer."
        case .registryUnavailable:
            "The edge's registry is away, and nothing was changed: try again in a moment. Tunnels that are online stay so."
        case .crowded(let seconds): "Many connectors arrive at once: this one is expected in \(seconds) s."
        case .inboxNotServed:
            "This edge keeps no webhooks: whoever runs it sets inbox.directory and inbox.key-file. Inboxes are for public tunnels of kind http."
        case .inboxNotFound(let id):
            "The tunnel \(id) has no inbox: culvert inbox set \(id) makes one, as does PUT /api/tunnels/\(id)/inbox."
        case .messageNotFound(let message, let id):
            "The inbox of \(id) has no message \(message), or not any more: culvert inbox list \(id) shows those that it has."
        case .tooManyInboxes(let limit): "This API key already has \(limit) inboxes: delete one first."
        case .inboxUnavailable: "The edge can't keep anything now, and nothing was changed: try again in a moment."
        case .foreignPage(let why): "\(why) The dashboard answers its own page alone."
        case .sessionEnded: "Nobody has signed in here, or the session is over: sign in again."
        case .adminsOnly: "This is for keys of the role admin."
        case .internalError: "The edge failed; its log says why under this request id."
        }
    }

    /// A short summary of the kind of error.
    var title: String {
        switch self {
        case .invalidBody: "The body is not valid"
        case .invalidParameter: "A parameter is not valid"
        case .missingCredentials: "Credentials are missing"
        case .invalidCredentials: "Credentials were refused"
        case .invalidToken: "The tunnel token was refused"
        case .oneTimePasswordRequired: "A one-time code is missing"
        case .invalidOneTimePassword: "The one-time code was refused"
        case .notFound: "No such call"
        case .tunnelNotFound: "No such tunnel"
        case .methodNotAllowed: "Method not allowed"
        case .nameTaken: "The name is taken"
        case .nameReserved: "The name is reserved"
        case .tooManyTunnels: "Too many tunnels"
        case .servedElsewhere: "The tunnel is served from elsewhere"
        case .kindDiffers: "The tunnel is of another kind"
        case .kindNotServed: "The edge does not serve this kind"
        case .portTaken: "The port is taken"
        case .noPortFree: "No port is free"
        case .bodyTooLarge: "The body is too large"
        case .unsupportedMediaType: "The body has another media type"
        case .rateLimited: "Too many calls"
        case .draining: "About to stop"
        case .registryUnavailable: "The registry is away"
        case .crowded: "Many arrive at once"
        case .inboxNotServed: "The edge has no inboxes"
        case .inboxNotFound: "No such inbox"
        case .messageNotFound: "No such message"
        case .tooManyInboxes: "Too many inboxes"
        case .inboxUnavailable: "The inbox is away"
        case .foreignPage: "Another page asked"
        case .sessionEnded: "Sign in again"
        case .adminsOnly: "For admins"
        case .internalError: "The edge failed"
        }
    }

    /// The member of the body, or the parameter or field, that is wrong.
    var field: String? {
        switch self {
        case .invalidBody(let field, _): field
        case .invalidParameter(let field, _): field
        case .missingCredentials, .invalidCredentials, .invalidToken: "Authorization"
        case .oneTimePasswordRequired, .invalidOneTimePassword: "Culvert-OTP"
        case .nameTaken, .nameReserved, .servedElsewhere: "name"
        case .kindDiffers, .kindNotServed: "kind"
        case .portTaken, .noPortFree: "port"
        case .unsupportedMediaType: "Content-Type"
        default: nil
        }
    }

    /// The fields of the response beside those that every answer has.
    var headerFields: HTTPFields {
        var fields = HTTPFields()
        switch self {
        case .missingCredentials:
            fields[.wwwAuthenticate] = #"Bearer realm="culvert""#
        case .invalidCredentials, .invalidToken:
            fields[.wwwAuthenticate] = #"Bearer realm="culvert", error="invalid_token""#
        case .oneTimePasswordRequired, .invalidOneTimePassword:
            fields[.wwwAuthenticate] = #"Culvert-OTP realm="culvert""#
        case .methodNotAllowed(let allowed):
            fields[.allow] = allowed.map(\.rawValue).joined(separator: ", ")
        case .rateLimited(let decision, let limit):
            fields[.retryAfter] = String(max(1, decision.resetSeconds))
            fields[.rateLimit] = limit.field(decision)
        case .draining:
            // At once: the next edge is there already, and a proxy in front may lead to it the second time.
            fields[.retryAfter] = "0"
        case .registryUnavailable, .inboxUnavailable:
            fields[.retryAfter] = "1"
        case .crowded(let seconds):
            fields[.retryAfter] = String(seconds)
        default:
            break
        }
        return fields
    }

    /// The problem of a tunnel that can't have a port.
    init(_ refusal: PortRefusal) {
        switch refusal {
        case .notServed: self = .kindNotServed(.tcp)
        case .outside(let range):
            let detail = "port has to be from \(range.lowerBound) to \(range.upperBound), the ports of this edge."
            self = .invalidBody(field: "port", detail: detail)
        case .taken(let port): self = .portTaken(port)
        case .noneFree(let range): self = .noPortFree(range)
        }
    }

    private static func words(for connector: TunnelNotice.Connector) -> String {
        let words = [connector.implementation, connector.remoteAddress].compactMap { $0 }
        return words.isEmpty ? "unknown" : words.joined(separator: ", ")
    }

    private static func howToServe(_ kind: TunnelKind) -> String {
        switch kind {
        case .http: "This edge serves no tunnels of HTTP."
        case .tls:
            "This edge serves no tunnels of TLS: whoever runs it sets tls-passthrough.listen and public.wildcard-domain."
        case .tcp: "This edge has no ports for tunnels: whoever runs it sets tcp.ports, as in 20000-20099."
        }
    }

    /// The body of the response.
    ///
    /// - Parameter requestID: The id under which the request is logged.
    func details(requestID: RequestID) -> ProblemDetails {
        ProblemDetails(
            title: self.title,
            status: self.status.code,
            code: self.code,
            detail: self.detail,
            field: self.field,
            requestID: requestID.description
        )
    }
}

extension HTTPField.Name {
    // The initialiser fails for names that are not tokens (RFC 9110 §5.6.2); these are.

    /// `Culvert-OTP`: the second factor.
    // swift-format-ignore: NeverForceUnwrap
    static let culvertOTP = HTTPField.Name("Culvert-OTP")!
    /// `Culvert-Error`: the stable code of an error that the edge made.
    // swift-format-ignore: NeverForceUnwrap
    package static let culvertError = HTTPField.Name("Culvert-Error")!
    /// `Culvert-Request-Id`: the id under which the request is logged.
    // swift-format-ignore: NeverForceUnwrap
    package static let culvertRequestID = HTTPField.Name("Culvert-Request-Id")!
    /// `RateLimit`: what is left of the limit that applies (draft-ietf-httpapi-ratelimit-headers §5).
    // swift-format-ignore: NeverForceUnwrap
    static let rateLimit = HTTPField.Name("RateLimit")!
    /// `RateLimit-Policy`: the limit that applies.
    // swift-format-ignore: NeverForceUnwrap
    static let rateLimitPolicy = HTTPField.Name("RateLimit-Policy")!
}
