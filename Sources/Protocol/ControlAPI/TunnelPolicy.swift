// SPDX-License-Identifier: Apache-2.0

/// What a tunnel does with the requests of its visitors: the typed view of what ``PolicySchema/tunnel`` describes.
///
/// Every member may be left out of the JSON; it then has the value that a new policy has. The policy travels in the
/// tunnel's token, so that an edge that has been restarted re-makes the same tunnel from it.
package struct TunnelPolicy: Equatable, Sendable {
    /// How the path of a visitor's request becomes the path that the origin sees.
    package var pathMode = PathMode.strip
    /// What the origin sees in `Host`.
    package var host = HostPolicy.local
    /// What the origin sees in `Origin` and `Referer` of the tunnel's own pages, where ``host`` is not `preserve`.
    package var origin = OriginPolicy.withHost
    /// Which field tells the origin the path below which visitors see it.
    package var prefixField = PrefixField.auto
    /// Whether requests of the tunnel's pages that lack `/<id>` are led back to it.
    package var pathFallback = true
    /// The time that the origin has for a response head, in seconds; `nil` takes the edge's `tunnel.request-timeout`.
    package var requestTimeoutSeconds: Int?
    /// The most connector connections that may serve the tunnel; `nil` takes the edge's `tunnel.max-connections`.
    package var maxConnections: Int?
    /// The requests per second that visitors may make altogether; `nil` sets no limit.
    package var requestsPerSecond: Int?
    /// The most requests that one address may have under way; `nil` takes 512.
    package var maxRequestsPerVisitor: Int?
    /// The credentials of which a visitor has to show one; empty asks for none.
    package var basicAuth: [BasicCredential] = []
    /// The networks (CIDR) that visitors have to come from; empty allows every address.
    package var ipAllow: [String] = []
    /// The networks (CIDR) that visitors may not come from; it outranks ``ipAllow``.
    package var ipDeny: [String] = []
    /// Which protocols visitors may ask for with `Upgrade`.
    package var upgrades = UpgradePolicy.any
    /// Whether a connection to the origin may serve more than one request.
    package var originReuse = OriginReuse.safe
    /// The most connections of visitors to a tunnel of TCP; `nil` takes 1,024.
    package var maxVisitors: Int?
    /// The bytes that a connection of TCP may carry in a second each way; `nil` sets no limit.
    package var bytesPerSecond: Int?
    /// Which header tells the origin of a connection of TCP who the visitor is.
    package var proxyProtocol = ProxyProtocol.off

    /// Makes a policy that differs from the default one in what a closure changes.
    package init(_ change: (inout TunnelPolicy) -> Void = { _ in }) {
        change(&self)
    }
}

/// How the path of a visitor's request becomes the path that the origin sees.
package enum PathMode: String, CaseIterable, Sendable {
    /// `/<id>/a/b` reaches the origin as `/a/b`.
    case strip
    /// `/<id>/a/b` reaches the origin unchanged.
    case keep
    /// A browser that opens `/<id>/a/b` is led to `/a/b`, and asks this tunnel for everything from then on; other
    /// programs are served as with ``strip``.
    case root
}

/// Which field tells the origin the path below which visitors see it.
package enum PrefixField: String, CaseIterable, Sendable {
    /// `X-Forwarded-Prefix` where the path is stripped, none where it is kept.
    case auto
    /// `X-Forwarded-Prefix`, whatever reaches the origin.
    case forwardedPrefix = "x-forwarded-prefix"
    /// `X-Script-Name`, whatever reaches the origin.
    case scriptName = "x-script-name"
    /// None.
    case none
}

/// Which protocols visitors may ask for with `Upgrade` (RFC 9110 §7.8).
package enum UpgradePolicy: String, CaseIterable, Sendable {
    /// Any.
    case any
    /// WebSocket alone; the origin is not asked for others, as if the visitor had not.
    case websocket
}

/// Whether a connection to an origin may serve more than one request.
package enum OriginReuse: String, CaseIterable, Sendable {
    /// A connection that is known to be clean serves requests that can be sent again if it fails.
    case safe
    /// Each request gets a connection of its own.
    case never
}

/// Which header of the PROXY protocol stands in front of a connection's bytes.
package enum ProxyProtocol: String, CaseIterable, Sendable {
    /// None.
    case off
    /// A line of text.
    case v1
    /// The binary one.
    case v2
}

/// What the origin sees in `Host`.
///
/// In JSON it is one string: `"rewrite"` for ``local``, `"preserve"`, or the `Host` value itself.
package enum HostPolicy: Equatable, Sendable {
    /// The local target, `localhost:<local_port>`; what development servers that check hosts need.
    case local
    /// The `Host` that the visitor sent.
    case preserve
    /// This value.
    case rewrite(String)

    /// Reads the JSON spelling.
    package init(_ text: String) {
        switch text {
        case "rewrite": self = .local
        case "preserve": self = .preserve
        default: self = .rewrite(text)
        }
    }

    /// The JSON spelling.
    package var description: String {
        switch self {
        case .local: "rewrite"
        case .preserve: "preserve"
        case .rewrite(let value): value
        }
    }

    /// The value to send to the origin.
    ///
    /// - Parameter visitorHost: The `Host` of the visitor's request.
    package func value(visitorHost: String) -> String {
        switch self {
        case .local: "localhost"
        case .preserve: visitorHost
        case .rewrite(let value): value
        }
    }

    /// The policy once the port of the origin is known; ``local`` becomes the exact value.
    ///
    /// - Parameter localPort: The port that the connector forwards to, if it named one.
    package func resolved(localPort: UInt16?) -> HostPolicy {
        guard self == .local, let localPort else { return self }
        return .rewrite("localhost:\(localPort)")
    }
}

/// A user name with the password, or its hash, that lets a visitor in.
package struct BasicCredential: Codable, Equatable, Sendable {
    /// The user name; it can't contain a colon (RFC 7617 §2).
    package var username: String
    /// The password, in requests only; the edge replaces it with ``passwordHash`` before it keeps anything.
    package var password: String?
    /// The salted hash of the password, as the edge wrote it.
    package var passwordHash: String?

    /// Makes a credential.
    package init(username: String, password: String? = nil, passwordHash: String? = nil) {
        self.username = username
        self.password = password
        self.passwordHash = passwordHash
    }

    private enum CodingKeys: String, CodingKey {
        case username
        case password
        case passwordHash = "password_hash"
    }
}
