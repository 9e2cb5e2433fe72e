// SPDX-License-Identifier: Apache-2.0

/// The `host[:port]` part of a URL or of a target (RFC 3986 §3.2), without user information.
package struct Authority: Hashable, Sendable {
    /// A name, an IPv4 address or an IPv6 address; the last without its brackets.
    package var host: String
    package var port: Int?

    package init(host: String, port: Int?) {
        self.host = host
        self.port = port
    }

    /// Reads `host`, `host:port`, `[v6]` or `[v6]:port`.
    ///
    /// - Throws: ``AuthorityError`` naming what is wrong.
    package init(parsing text: some StringProtocol) throws(AuthorityError) {
        let hostText: Substring
        let portText: Substring?
        let text = Substring(text)
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { throw .unclosedBracket }
            hostText = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.first == ":" else { throw .badPort(String(rest)) }
            portText = rest.isEmpty ? nil : rest.dropFirst()
            guard hostText.contains(":"), hostText.allSatisfy({ $0.isHexDigit || ":.%".contains($0) || $0.isLetter })
            else { throw .badHost(String(hostText)) }
        } else {
            let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2, parts[1].contains(":") { throw .unbracketedIPv6 }
            hostText = parts.first ?? ""
            portText = parts.count == 2 ? parts[1] : nil
            guard !hostText.isEmpty, hostText.utf8.count <= 253, hostText.utf8.allSatisfy(Self.isHostByte)
            else { throw .badHost(String(hostText)) }
        }
        self.host = hostText.lowercased()
        self.port = try portText.map { text throws(AuthorityError) in try Self.port(text) }
    }

    /// Reads a port number: 1 to 65 535, ASCII digits only.
    package static func port(_ text: some StringProtocol) throws(AuthorityError) -> Int {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = Int(text),
            (1...65_535).contains(port)
        else { throw .badPort(String(text)) }
        return port
    }

    /// Whether the host can only be this machine.
    package var isLoopback: Bool {
        if Self.isLocalhost(self.host) || self.host == "::1" { return true }
        let octets = self.host.split(separator: ".", omittingEmptySubsequences: false)
        return octets.count == 4 && octets[0] == "127" && octets.allSatisfy { UInt8($0) != nil }
    }

    /// Whether a name is `localhost` or below it: these lead to this machine, whatever a resolver says (RFC 6761 §6.3).
    package static func isLocalhost(_ host: String) -> Bool {
        let name = host.last == "." ? host.dropLast().lowercased() : host.lowercased()
        return name == "localhost" || name.hasSuffix(".localhost")
    }

    /// The form for a URL or a `Host` field: brackets around IPv6, and no port that the scheme implies.
    package func text(omittingPort implied: Int?) -> String {
        let host = self.host.contains(":") ? "[\(self.host)]" : self.host
        guard let port = self.port, port != implied else { return host }
        return "\(host):\(port)"
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}

/// What is wrong with a `host:port`.
package enum AuthorityError: Error, Equatable, CustomStringConvertible {
    case badHost(String)
    case badPort(String)
    case unclosedBracket
    case unbracketedIPv6

    package var description: String {
        switch self {
        case .badHost(let text): text.isEmpty ? "the host is missing" : "“\(text)” is not a host name or address"
        case .badPort(let text): "“\(text)” is not a port (1 to 65535)"
        case .unclosedBracket: "the “[” of the IPv6 address is not closed"
        case .unbracketedIPv6: "an IPv6 address is written in brackets, as in [::1]:3000"
        }
    }
}
