// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import NIOCore
import Protocol
import Yams

/// The policy of a tunnel, in the words of the control API with `-` for `_`.
///
/// The edge has the last word; what it would refuse is found here where it has a line.
extension TunnelsFileReader {
    private static let policySettings = [
        "path-mode", "host", "request-timeout-seconds", "max-connections", "requests-per-second", "basic-auth",
        "ip-allow", "ip-deny", "upgrades", "origin-reuse",
    ]

    /// Reads a policy.
    ///
    /// - Parameters:
    ///   - node: The mapping.
    ///   - host: What `host-header` of the tunnel says.
    ///   - connections: How many connections the tunnel will keep.
    mutating func policy(_ node: Node, host: HostPolicy?, connections: Int) -> TunnelPolicy {
        var policy = TunnelPolicy(host: host ?? .local)
        guard let mapping = node.mapping else {
            self.report(node, "“policy” has to have settings: \(Self.policySettings.joined(separator: ", ")).")
            return policy
        }
        for (key, value) in mapping {
            switch key.string {
            case "path-mode": policy.pathMode = self.choice(value, "path-mode", PathMode.self) ?? .strip
            case "host":
                if host != nil { self.report(key, "“host” is what “host-header” says already: leave one out.") }
                policy.host = self.host(value, "host") ?? .local
            case "request-timeout-seconds":
                policy.requestTimeoutSeconds = self.number(value, "request-timeout-seconds", in: 1...3_600)
            case "max-connections":
                policy.maxConnections = self.number(value, "max-connections", in: 1...100_000)
                if let most = policy.maxConnections, most < connections {
                    self.report(
                        value,
                        "“max-connections” is \(most), and the connector keeps \(connections) connections: "
                            + "raise it, or lower “connections”."
                    )
                }
            case "requests-per-second":
                policy.requestsPerSecond = self.number(value, "requests-per-second", in: 1...1_000_000)
            case "basic-auth": policy.basicAuth = self.basicAuth(value)
            case "ip-allow": policy.ipAllow = self.networks(value, "ip-allow")
            case "ip-deny": policy.ipDeny = self.networks(value, "ip-deny")
            case "upgrades": policy.upgrades = self.choice(value, "upgrades", UpgradePolicy.self) ?? .any
            case "origin-reuse": policy.originReuse = self.choice(value, "origin-reuse", OriginReuse.self) ?? .safe
            default: self.reportUnknown(key, of: " of a policy", among: Self.policySettings)
            }
        }
        return policy
    }

    /// Reads what the local server sees in `Host`.
    mutating func host(_ node: Node, _ name: String) -> HostPolicy? {
        guard let text = self.text(node, name) else { return nil }
        let policy = HostPolicy(text)
        if case .rewrite(let value) = policy, (try? Authority(parsing: value)) == nil {
            self.report(node, "“\(name)” has to be rewrite, preserve, or a host name with or without a port.")
            return nil
        }
        return policy
    }

    private mutating func networks(_ node: Node, _ name: String) -> [String] {
        self.list(node, name, atMost: 64).compactMap { entry in
            guard let text = entry.scalar?.string, Self.isNetwork(text) else {
                self.report(entry, "“\(name)” lists addresses and networks such as 192.0.2.7 or 10.0.0.0/8.")
                return nil
            }
            return text
        }
    }

    /// Whether a text is an address, or an address and the length of its prefix.
    private static func isNetwork(_ text: String) -> Bool {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = try? SocketAddress(ipAddress: String(parts[0]), port: 0) else { return false }
        guard parts.count == 2 else { return true }
        guard !parts[1].isEmpty, parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let length = Int(parts[1])
        else { return false }
        return length <= (address.protocol == .inet6 ? 128 : 32)
    }

    private mutating func basicAuth(_ node: Node) -> [BasicCredential] {
        self.list(node, "basic-auth", atMost: 16).compactMap { self.credential($0) }
    }

    private mutating func credential(_ node: Node) -> BasicCredential? {
        guard let mapping = node.mapping else {
            self.report(node, "An entry of “basic-auth” has “username”, and “password” or “password-file”.")
            return nil
        }
        var username: String?
        var password: String?
        for (key, value) in mapping {
            switch key.string {
            case "username": username = self.text(value, "username")
            case "password": password = self.text(value, "password")
            case "password-file":
                guard let path = self.path(value, "password-file") else { break }
                password = self.reading(value) { () throws(CommandFailure) in
                    try SecretFile.read(path, what: "a password")
                }
            default:
                self.reportUnknown(key, of: " of “basic-auth”", among: ["username", "password", "password-file"])
            }
        }
        guard mapping["username"] != nil, (mapping["password"] == nil) != (mapping["password-file"] == nil) else {
            self.report(node, "An entry of “basic-auth” has “username”, and either “password” or “password-file”.")
            return nil
        }
        // Neither is quoted, since both may be where they don't belong.
        if let username, !Self.isUserName(username) {
            self.report(mapping["username"], "“username” has to be 1 to 128 of ASCII without space and colon.")
        }
        if let password, !((1...256).contains(password.utf8.count) && password.utf8.allSatisfy(Self.isPrintable)) {
            self.report(
                mapping["password"] ?? mapping["password-file"],
                "A password of “basic-auth” has to be 1 to 256 of ASCII."
            )
        }
        guard let username, let password else { return nil }
        return BasicCredential(username: username, password: password)
    }

    private static func isUserName(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count)
            && text.utf8.allSatisfy { Self.isPrintable($0) && $0 != 0x20 && $0 != UInt8(ascii: ":") }
    }

    private static func isPrintable(_ byte: UInt8) -> Bool {
        (0x20...0x7E).contains(byte)
    }
}
