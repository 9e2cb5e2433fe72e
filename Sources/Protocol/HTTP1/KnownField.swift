// SPDX-License-Identifier: Apache-2.0

/// The fields that the edge looks at; every other passes unseen.
package enum KnownField: UInt8, CaseIterable {
    case other
    case accept
    case accessControlAllowOrigin
    case altSvc
    case authorization
    case cacheControl
    case cdnCacheControl
    case cfConnectingIP
    case clearSiteData
    /// A field in which some proxy or content network names the client: ``clientAddressNames``.
    case clientAddress
    case connection
    case contentLength
    case contentLocation
    case cookie
    case culvertError
    case culvertHops
    case culvertRequestID
    case date
    case destination
    case expect
    case forwarded
    case host
    case http2Settings
    case ifConditions
    case keepAlive
    case link
    case location
    case maxForwards
    case origin
    case persistentAuth
    case proxyAuthenticate
    case proxyAuthorization
    case proxyConnection
    case referer
    case refresh
    case secFetchDest
    case secFetchMode
    case secFetchSite
    case serviceWorker
    case serviceWorkerAllowed
    case setCookie
    case strictTransportSecurity
    case surrogateControl
    case te
    case traceparent
    case trailer
    case transferEncoding
    case trueClientIP
    /// A forwarding field with underscores in its name: programs behind CGI take it for the one with hyphens, which is
    /// what proxies write and read (RFC 9110 §5.1: it is another field).
    case underscoredForwarding
    case upgrade
    case vary
    case via
    case wwwAuthenticate
    case xForwardedFor
    case xForwardedHost
    /// Any other name that begins with `X-Forwarded-`: some programs believe `X-Forwarded-Ssl` and its like.
    case xForwardedOther
    case xForwardedPort
    case xForwardedPrefix
    case xForwardedProto
    case xForwardedServer
    case xRealIP
    case xRequestID
    case xScriptName

    /// The name in lower case.
    package var name: String {
        switch self {
        case .other, .xForwardedOther, .clientAddress, .underscoredForwarding: ""
        case .accept: "accept"
        case .accessControlAllowOrigin: "access-control-allow-origin"
        case .altSvc: "alt-svc"
        case .authorization: "authorization"
        case .cacheControl: "cache-control"
        case .cdnCacheControl: "cdn-cache-control"
        case .cfConnectingIP: "cf-connecting-ip"
        case .clearSiteData: "clear-site-data"
        case .connection: "connection"
        case .contentLength: "content-length"
        case .contentLocation: "content-location"
        case .cookie: "cookie"
        case .culvertError: "culvert-error"
        case .culvertHops: "culvert-hops"
        case .culvertRequestID: "culvert-request-id"
        case .date: "date"
        case .destination: "destination"
        case .expect: "expect"
        case .forwarded: "forwarded"
        case .host: "host"
        case .http2Settings: "http2-settings"
        case .ifConditions: "if"
        case .keepAlive: "keep-alive"
        case .link: "link"
        case .location: "location"
        case .maxForwards: "max-forwards"
        case .origin: "origin"
        case .persistentAuth: "persistent-auth"
        case .proxyAuthenticate: "proxy-authenticate"
        case .proxyAuthorization: "proxy-authorization"
        case .proxyConnection: "proxy-connection"
        case .referer: "referer"
        case .refresh: "refresh"
        case .secFetchDest: "sec-fetch-dest"
        case .secFetchMode: "sec-fetch-mode"
        case .secFetchSite: "sec-fetch-site"
        case .serviceWorker: "service-worker"
        case .serviceWorkerAllowed: "service-worker-allowed"
        case .setCookie: "set-cookie"
        case .strictTransportSecurity: "strict-transport-security"
        case .surrogateControl: "surrogate-control"
        case .te: "te"
        case .traceparent: "traceparent"
        case .trailer: "trailer"
        case .transferEncoding: "transfer-encoding"
        case .trueClientIP: "true-client-ip"
        case .upgrade: "upgrade"
        case .vary: "vary"
        case .via: "via"
        case .wwwAuthenticate: "www-authenticate"
        case .xForwardedFor: "x-forwarded-for"
        case .xForwardedHost: "x-forwarded-host"
        case .xForwardedPort: "x-forwarded-port"
        case .xForwardedPrefix: "x-forwarded-prefix"
        case .xForwardedProto: "x-forwarded-proto"
        case .xForwardedServer: "x-forwarded-server"
        case .xRealIP: "x-real-ip"
        case .xRequestID: "x-request-id"
        case .xScriptName: "x-script-name"
        }
    }

    /// Whether the field says how the request came, which only a trusted proxy may say, and no proxy with underscores.
    package var isForwarding: Bool {
        switch self {
        case .forwarded, .xForwardedFor, .xForwardedHost, .xForwardedPort, .xForwardedPrefix, .xForwardedProto,
            .xForwardedServer, .xRealIP, .xRequestID, .xScriptName, .xForwardedOther, .cfConnectingIP, .trueClientIP,
            .clientAddress, .underscoredForwarding:
            true
        default: false
        }
    }

    /// Whether a forwarding field passes as it came if a trusted proxy sent it: we have nothing of our own to say there.
    package var isForeignForwarding: Bool {
        switch self {
        case .xForwardedOther, .xForwardedPort, .xForwardedServer, .cfConnectingIP, .trueClientIP, .clientAddress: true
        default: false
        }
    }

    /// Whether the field is about one connection and not passed on (RFC 9110 §7.6.1).
    ///
    /// `HTTP2-Settings` belongs to an upgrade that is never passed on, be it named by `Connection` or not.
    package var isHopByHop: Bool {
        switch self {
        case .connection, .http2Settings, .keepAlive, .proxyAuthorization, .proxyAuthenticate, .proxyConnection,
            .te, .transferEncoding, .upgrade:
            true
        default: false
        }
    }

    /// The fields in which proxies and content networks name the client, beyond those with a case of their own: a visitor
    /// who writes one is believed by programs that were made for that network.
    package static let clientAddressNames = [
        "ali-cdn-real-ip",
        "cdn-src-ip",
        "cf-connecting-ipv6",
        "cf-pseudo-ipv4",
        "client-ip",
        "cloudfront-viewer-address",
        "do-connecting-ip",
        "eo-connecting-ip",
        "fastly-client-ip",
        "fly-client-ip",
        "forwarded-for",
        "forwarded-for-ip",
        "incap-client-ip",
        "proxy-client-ip",
        "remote-addr",
        "tencent-client-ip",
        "wl-proxy-client-ip",
        "x-appengine-user-ip",
        "x-azure-clientip",
        "x-azure-socketip",
        "x-cdn-src-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-coming-from",
        "x-envoy-external-address",
        "x-forward-for",
        "x-forwarded",
        "x-ms-forwarded-client-ip",
        "x-nf-client-connection-ip",
        "x-original-forwarded-for",
        "x-originating-ip",
        "x-proxyuser-ip",
        "x-real-client-ip",
        "x-remote-addr",
        "x-remote-ip",
        "x-sucuri-clientip",
        "x-true-ip",
        "x-vercel-forwarded-for",
    ]

    /// Recognises a name in any case.
    package init(_ name: UnsafeRawBufferPointer) {
        if let field = FieldNames.all.field(of: name) {
            self = field
            return
        }
        let hasUnderscore = ByteClass.firstIndex(of: UInt8(ascii: "_"), in: name, 0..<name.count) != nil
        if FieldNames.all.isForwarding(name, foldsUnderscores: hasUnderscore) {
            self = hasUnderscore ? .underscoredForwarding : .xForwardedOther
        } else {
            self = .other
        }
    }
}
