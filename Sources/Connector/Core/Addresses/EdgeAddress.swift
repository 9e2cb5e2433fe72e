// SPDX-License-Identifier: Apache-2.0

/// Where an edge is: the base of its control API and of the connector's WebSocket.
package struct EdgeAddress: Hashable, Sendable, CustomStringConvertible {
    package var usesTLS: Bool
    package var host: String
    package var port: Int
    /// The path below which the edge lives, without a final slash; empty for the root.
    var basePath: String

    /// Reads `https://edge.example.com`, `http://…`, `ws://…`, `wss://…` or a bare `host[:port]`.
    ///
    /// A bare loopback host means plain HTTP, every other bare host HTTPS: a key must not cross a network in the
    /// clear because someone left out eight characters.
    ///
    /// - Throws: ``EdgeAddressError`` with the text and what is wrong with it.
    package init(parsing text: String) throws(EdgeAddressError) {
        // Looked up as a host it would reach a resolver, and messages would show it.
        if text.hasPrefix("cvk_") {
            throw EdgeAddressError(
                text: "cvk_…",
                reason: "it is an API key, which culvert login asks for, or --api-key-file",
                isSecret: true
            )
        }
        if text.hasPrefix("eyJ"), text.count > 64 {
            throw EdgeAddressError(
                text: "eyJ…",
                reason: "it is a tunnel's token, which culvert connect takes",
                isSecret: true
            )
        }
        // As a host it would be looked up as a name, or taken for an address of IPv4.
        if let port = try? Authority.port(text) {
            throw EdgeAddressError(text: text, reason: "it is a port; write http://localhost:\(port)")
        }
        var rest = Substring(text)
        var usesTLS: Bool?
        for (prefix, tls) in [("https://", true), ("wss://", true), ("http://", false), ("ws://", false)] {
            guard let stripped = text.dropping(prefix: prefix) else { continue }
            rest = stripped
            usesTLS = tls
            break
        }
        guard usesTLS != nil || !rest.contains("://") else {
            throw EdgeAddressError(text: text, reason: "only http://, https://, ws:// and wss:// are understood")
        }
        guard !rest.contains("?"), !rest.contains("#"), !rest.contains("@") else {
            throw EdgeAddressError(text: text, reason: "it carries no user name, query or fragment")
        }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let authority: Authority
        do {
            authority = try Authority(parsing: rest[..<slash])
        } catch {
            throw EdgeAddressError(text: text, reason: error.description)
        }
        var path = rest[slash...]
        while path.last == "/" { path.removeLast() }
        guard path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw EdgeAddressError(text: text, reason: "its path holds characters that a URL can't")
        }
        self.usesTLS = usesTLS ?? !authority.isLoopback
        self.host = authority.host
        self.port = authority.port ?? (self.usesTLS ? 443 : 80)
        self.basePath = String(path)
    }

    /// The same place with `http://`.
    var withoutTLS: EdgeAddress {
        var edge = self
        edge.usesTLS = false
        return edge
    }

    /// Where TLS is to be expected if `http://` was wrong: at the same port, unless that is the one of plain HTTP.
    var withTLS: EdgeAddress {
        var edge = self
        edge.usesTLS = true
        if edge.port == 80 { edge.port = 443 }
        return edge
    }

    /// Whether this looks like the address of a tunnel of an edge: below the edge's path, or at a name below the edge's.
    package func looksLikeTunnel(of edge: EdgeAddress) -> Bool {
        guard self.usesTLS == edge.usesTLS, self.port == edge.port else { return false }
        if self.host == edge.host { return self.basePath.hasPrefix(edge.basePath + "/") }
        // Without a domain of its own an edge on this machine has its tunnels below localhost.
        let isLocal = Authority.isLocalhost(self.host) && self.host.contains(".")
        return self.host.hasSuffix("." + edge.host) || isLocal && Authority(host: edge.host, port: nil).isLoopback
    }

    /// `host[:port]` as the `Host` field carries it.
    var authority: String {
        Authority(host: self.host, port: self.port).text(omittingPort: self.usesTLS ? 443 : 80)
    }

    /// The HTTP URL of a path of the edge.
    ///
    /// - Parameter path: Starts with a slash; already percent-encoded.
    package func url(_ path: String) -> String {
        "\(self.usesTLS ? "https" : "http")://\(self.authority)\(self.basePath)\(path)"
    }

    /// The request target of a tunnel's WebSocket.
    func connectPath(tunnelID: String) -> String {
        "\(self.basePath)/api/tunnel/connect/\(tunnelID)"
    }

    /// The request target of the WebSocket of a tunnel's visitors.
    func accessPath(tunnelID: String) -> String {
        "\(self.basePath)/api/tunnel/access/\(tunnelID)"
    }

    package var description: String { self.url("") }
}

/// An edge address that can't be read.
package struct EdgeAddressError: Error, Equatable, CustomStringConvertible {
    package var text: String
    package var reason: String
    /// Whether it is a key or a token, of which ``text`` has the beginning alone.
    package var isSecret = false

    package var description: String { "“\(self.text)” is not the address of an edge: \(self.reason)." }
}
