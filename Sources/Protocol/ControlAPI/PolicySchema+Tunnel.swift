// SPDX-License-Identifier: Apache-2.0

extension PolicySchema {
    /// The schema of ``TunnelPolicy``.
    package static let tunnel = PolicySchema(members: [
        PolicyMember(
            "path_mode",
            \.pathMode,
            .choice,
            documentation: """
                How the path of a request reaches the local server: `strip` cuts the tunnel's `/<id>` off, `keep` \
                leaves the path as it is, `root` leads browsers that open `/<id>/` to `/`, for apps that have to be there.
                """
        ),
        PolicyMember(
            "path_fallback",
            \.pathFallback,
            .toggle,
            documentation: """
                Whether requests of the tunnel's own pages that lack `/<id>`, as for `/assets/app.js`, are led back to the \
                tunnel.
                """
        ),
        PolicyMember(
            "prefix_field",
            \.prefixField,
            .choice,
            documentation: """
                The field that tells the local server the path below which visitors see it: `auto` sends \
                `X-Forwarded-Prefix` where the path is stripped, the others send that field also where it is kept, or none.
                """
        ),
        PolicyMember(
            "host",
            \.host,
            .host,
            flag: "host-header",
            documentation: """
                The `Host` that the local server sees: `rewrite` is the server's own address, `preserve` what the \
                visitor sent, anything else is the value itself.
                """
        ),
        PolicyMember(
            "origin",
            \.origin,
            .origin,
            flag: "origin-header",
            documentation: """
                The origin that the local server sees in `Origin` and `Referer` of the tunnel's own pages: `rewrite` is \
                that of the rewritten `Host`, `preserve` what the visitor's browser sent, anything else is the value itself.
                """
        ),
        PolicyMember(
            "request_timeout_seconds",
            \.requestTimeoutSeconds,
            .seconds(1...3600),
            default: "the edge's `tunnel.request-timeout`",
            documentation: "The time that the local server has for the head of its answer, in seconds."
        ),
        PolicyMember(
            "max_connections",
            \.maxConnections,
            .number(1...10_000),
            default: "the edge's `tunnel.max-connections`, which also bounds it",
            for: Set(TunnelKind.allCases),
            documentation: "The most connections of connectors that may serve the tunnel."
        ),
        PolicyMember(
            "requests_per_second",
            \.requestsPerSecond,
            .number(1...1_000_000),
            default: "no limit",
            documentation: "The requests that all visitors together may make in a second."
        ),
        PolicyMember(
            "max_requests_per_visitor",
            \.maxRequestsPerVisitor,
            .number(1...100_000),
            default: "512",
            documentation: """
                The most requests and conversations that one address may have under way; the one on which nothing has \
                passed for the longest time gives way to a new one.
                """
        ),
        PolicyMember(
            "basic_auth",
            \.basicAuth,
            .credentials(atMost: 16),
            default: "nobody is asked",
            documentation: """
                The user names and passwords of which a visitor has to show one; the edge keeps passwords as salted \
                hashes.
                """
        ),
        PolicyMember(
            "ip_allow",
            \.ipAllow,
            .texts(.network, atMost: 64),
            default: "every address",
            for: Set(TunnelKind.allCases),
            documentation: "The addresses and networks that visitors have to come from."
        ),
        PolicyMember(
            "ip_deny",
            \.ipDeny,
            .texts(.network, atMost: 64),
            default: "none",
            for: Set(TunnelKind.allCases),
            documentation: "The addresses and networks that visitors may not come from, whatever is allowed."
        ),
        PolicyMember(
            "upgrades",
            \.upgrades,
            .choice,
            documentation: """
                The protocols that a visitor may ask for with `Upgrade`: `any`, or `websocket` alone; others are not \
                passed on.
                """
        ),
        PolicyMember(
            "origin_reuse",
            \.originReuse,
            .choice,
            documentation: """
                Whether a connection to the local server serves more than one request: `safe` lets a clean one serve \
                requests that can be sent again, `never` gives each its own.
                """
        ),
        PolicyMember(
            "max_visitors",
            \.maxVisitors,
            .number(1...100_000),
            default: "1024",
            for: [.tcp, .tls],
            documentation: "The most connections that visitors may have at once; one beyond them is closed."
        ),
        PolicyMember(
            "bytes_per_second",
            \.bytesPerSecond,
            .number(1_024...100_000_000_000),
            default: "no limit",
            for: [.tcp, .tls],
            documentation: "The bytes that a connection may carry in a second, in each direction."
        ),
        PolicyMember(
            "proxy_protocol",
            \.proxyProtocol,
            .choice,
            for: [.tcp, .tls],
            documentation: """
                Whether the local server is told the visitor's address by a header of the PROXY protocol in front of the \
                bytes, and in which version: `off`, `v1` or `v2`; the server has to expect it.
                """
        ),
    ])
}
