// SPDX-License-Identifier: Apache-2.0

import ControlAPI

/// The local server that a tunnel exposes, as the command line or the configuration file names it.
package struct OriginTarget: Hashable, Sendable, CustomStringConvertible {
    /// Where to connect.
    package enum Endpoint: Hashable, Sendable {
        case tcp(host: String, port: Int)
        /// A stream socket of the local file system, by its absolute path.
        case unix(path: String)
    }

    package var endpoint: Endpoint
    /// Whether to speak TLS to the target.
    package var usesTLS: Bool
    /// What the tunnel carries that exposes it.
    package var kind = TunnelKind.http
    /// What the target is called in its stead, where the address tells a person nothing.
    package var label: String?

    /// The folder that is to be shared in the target's place: until something serves it, nothing can be connected to.
    package private(set) var folder: String?

    /// Longest path that fits `sockaddr_un.sun_path` on Linux with its final NUL; macOS has four bytes less.
    static let longestSocketPath = 103

    /// Reads `3000`, `host:3000`, `[::1]:3000`, `http://…`, `https://…` or `unix:/path`; URLs for tunnels of HTTP alone.
    ///
    /// - Parameters:
    ///   - text: The text.
    ///   - kind: What the tunnel carries.
    /// - Throws: ``OriginTargetError`` with the text and what is wrong with it.
    package init(parsing text: String, for kind: TunnelKind = .http) throws(OriginTargetError) {
        do {
            if kind != .http, text.contains("://") {
                throw Fault.url
            } else if let path = text.dropping(prefix: "unix:") {
                self = try Self.unix(path)
            } else if let rest = text.dropping(prefix: "https://") {
                self = try Self.url(rest, usesTLS: true)
            } else if let rest = text.dropping(prefix: "http://") {
                self = try Self.url(rest, usesTLS: false)
            } else if text.contains("://") {
                throw Fault.scheme
            } else {
                self = try Self.bare(text)
            }
        } catch let fault as Fault {
            throw OriginTargetError(text: text, reason: fault.description)
        } catch let fault as AuthorityError {
            throw OriginTargetError(text: text, reason: fault.description)
        } catch {
            throw OriginTargetError(text: text, reason: "\(error)")
        }
        self.kind = kind
    }

    package init(endpoint: Endpoint, usesTLS: Bool, label: String? = nil) {
        self.endpoint = endpoint
        self.usesTLS = usesTLS
        self.label = label
    }

    /// A folder that nothing serves yet: ``FolderServers`` has the target of one that is served.
    package static func folder(_ path: String) -> OriginTarget {
        var target = OriginTarget(endpoint: .unix(path: path), usesTLS: false, label: path)
        target.folder = path
        return target
    }

    /// The value of `Host` that names the target itself.
    package var hostField: String {
        switch self.endpoint {
        case .tcp(let host, let port):
            Authority(host: host, port: port).text(omittingPort: self.usesTLS ? 443 : 80)
        case .unix: "localhost"
        }
    }

    /// The host of a TCP target; `localhost` for a socket of the file system.
    package var host: String {
        guard case .tcp(let host, _) = self.endpoint else { return "localhost" }
        return host
    }

    /// Whether the target is the very place where an edge listens, as far as their names tell.
    package func leads(to edge: EdgeAddress) -> Bool {
        guard case .tcp(let host, edge.port) = self.endpoint else { return false }
        let isLocal = Authority(host: host, port: nil).isLoopback
        return host == edge.host || isLocal && Authority(host: edge.host, port: nil).isLoopback
    }

    /// The port of a TCP target.
    package var port: Int? {
        guard case .tcp(_, let port) = self.endpoint else { return nil }
        return port
    }

    /// `host:port` or the socket's path, as messages name it.
    package var address: String {
        switch self.endpoint {
        case .tcp(let host, let port): Authority(host: host, port: port).text(omittingPort: nil)
        case .unix(let path): path
        }
    }

    package var description: String {
        if let label { return label }
        return switch self.endpoint {
        case .tcp where self.kind != .http: self.address
        case .tcp: "\(self.usesTLS ? "https" : "http")://\(self.hostField)"
        case .unix(let path): "unix:\(path)"
        }
    }

    private enum Fault: Error, CustomStringConvertible {
        case scheme
        case url
        case path
        case folder
        case userInformation
        case relativeSocketPath
        case longSocketPath
        case portMissing

        var description: String {
            switch self {
            case .scheme: "only http://, https:// and unix: are understood; culvert http ./folder shares a folder"
            case .url: "bytes go to a port, host:port or unix:/path"
            case .path: "a target has no path, query or fragment; the visitor's path is used"
            case .folder: "a folder is shared by culvert http ./folder, or by a tunnel of kind http in a file"
            case .userInformation: "a target carries no user name or password"
            case .relativeSocketPath: "the path of a socket starts with “/”"
            case .longSocketPath: "the path of a socket has at most \(OriginTarget.longestSocketPath) bytes"
            case .portMissing: "the port is missing, as in localhost:3000"
            }
        }
    }

    private static func unix(_ path: Substring) throws -> OriginTarget {
        // unix:///run/x.sock is the same path in the spelling of a URL.
        let path = path.hasPrefix("///") ? path.dropFirst(2) : path
        guard path.hasPrefix("/") else { throw Fault.relativeSocketPath }
        guard path.utf8.count <= Self.longestSocketPath else { throw Fault.longSocketPath }
        return OriginTarget(endpoint: .unix(path: String(path)), usesTLS: false)
    }

    private static func url(_ rest: Substring, usesTLS: Bool) throws -> OriginTarget {
        var rest = rest
        if rest.last == "/" { rest.removeLast() }
        guard !rest.contains(where: { "/?#".contains($0) }) else { throw Fault.path }
        guard !rest.contains("@") else { throw Fault.userInformation }
        // A number alone is no host: who writes https://8443 means the port.
        if !rest.isEmpty, rest.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            return OriginTarget(endpoint: .tcp(host: "localhost", port: try Authority.port(rest)), usesTLS: usesTLS)
        }
        let authority = try Authority(parsing: rest)
        let port = authority.port ?? (usesTLS ? 443 : 80)
        return OriginTarget(endpoint: .tcp(host: authority.host, port: port), usesTLS: usesTLS)
    }

    private static func bare(_ text: String) throws -> OriginTarget {
        let text = text.dropping(prefix: ":") ?? Substring(text)
        if text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            return OriginTarget(endpoint: .tcp(host: "localhost", port: try Authority.port(text)), usesTLS: false)
        }
        guard !["./", "../", "/", "~/"].contains(where: { text.hasPrefix($0) }), text != ".", text != ".." else {
            throw Fault.folder
        }
        guard !text.contains(where: { "/?#".contains($0) }) else { throw Fault.path }
        guard !text.contains("@") else { throw Fault.userInformation }
        let authority = try Authority(parsing: text)
        guard let port = authority.port else { throw Fault.portMissing }
        return OriginTarget(endpoint: .tcp(host: authority.host, port: port), usesTLS: false)
    }
}

/// A target that can't be read.
package struct OriginTargetError: Error, Equatable, CustomStringConvertible {
    package var text: String
    package var reason: String

    package var description: String { "“\(self.text)” is not a target: \(self.reason)." }
}

extension String {
    /// What follows the prefix, or nothing if the string does not start with it (ASCII letters in either case).
    func dropping(prefix: String) -> Substring? {
        guard self.lowercased().hasPrefix(prefix) else { return nil }
        return self.dropFirst(prefix.count)
    }
}
