// SPDX-License-Identifier: Apache-2.0
#if Redis

/// Where Redis is, as operators write it.
///
/// `redis://host:6379`, `rediss://user@host:6379` with TLS, or `redis+sentinel://host1,host2:26379/name`, where
/// sentinels say which server is the primary; with `rediss+sentinel://` they, too, are asked over TLS.
package struct RedisURL: Equatable, Sendable {
    /// A host and a port.
    package struct Server: Equatable, Sendable, CustomStringConvertible {
        package var host: String
        package var port: Int

        package var description: String {
            self.host.utf8.contains(UInt8(ascii: ":")) ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
        }
    }

    /// How the primary is found.
    package enum Place: Equatable, Sendable {
        case server(Server)
        /// By these sentinels, which know it by a name.
        case sentinels([Server], name: String)
    }

    /// How the primary is found.
    package var place: Place
    /// Whether connections are TLS: to it, and to sentinels.
    package var isTLS: Bool
    /// The name to log in with; `nil` for the default user.
    package var user: String?

    /// Whether sentinels say which server is the primary.
    package var hasSentinels: Bool { if case .sentinels = self.place { true } else { false } }

    /// Reads a URL.
    ///
    /// - Returns: `nil` for what is none, and for one that holds a password, which belongs into a file.
    package init?(_ text: String) {
        guard let colon = text.firstRange(of: "://") else { return nil }
        let scheme = text[..<colon.lowerBound]
        var rest = text[colon.upperBound...]
        self.user = nil
        if let at = rest.firstIndex(of: "@") {
            let user = rest[..<at]
            guard !user.isEmpty, user.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: ":") }) else {
                return nil
            }
            self.user = String(user)
            rest = rest[rest.index(after: at)...]
        }
        switch scheme {
        case "redis", "rediss":
            self.isTLS = scheme == "rediss"
            if rest.hasSuffix("/") { rest = rest.dropLast() }
            guard let server = Self.server(rest, defaultPort: 6379) else { return nil }
            self.place = .server(server)
        case "redis+sentinel", "rediss+sentinel":
            self.isTLS = scheme == "rediss+sentinel"
            let parts = rest.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[1].isEmpty, parts[1].utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
                return nil
            }
            let names = parts[0].split(separator: ",", omittingEmptySubsequences: false)
            let servers = names.compactMap { Self.server($0, defaultPort: 26_379) }
            guard servers.count == names.count else { return nil }
            self.place = .sentinels(servers, name: String(parts[1]))
        default:
            return nil
        }
    }

    private static func server(_ text: Substring, defaultPort: Int) -> Server? {
        let host: Substring
        let port: Substring
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            host = text[text.index(after: text.startIndex)..<end]
            port = text[text.index(after: end)...]
        } else {
            host = text.prefix { $0 != ":" }
            port = text[host.endIndex...]
        }
        let isName = host.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && !"/?#@\\\"".utf8.contains($0) }
        guard !host.isEmpty, isName else { return nil }
        if port.isEmpty { return Server(host: String(host), port: defaultPort) }
        let digits = port.dropFirst()
        guard port.hasPrefix(":"), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(digits),
            (1...65_535).contains(number)
        else { return nil }
        return Server(host: String(host), port: number)
    }
}

#endif
