// SPDX-License-Identifier: Apache-2.0
import EdgeTunnels
import HTTP1
import NIOCore

/// Who sent a request, as far as we may believe it.
struct Visitor: Equatable, Sendable {
    /// The visitor's address: the socket's, or the one that a trusted proxy names.
    private(set) var address: IPAddress?
    /// How the visitor came: `http` or `https`.
    let scheme: String
    /// The host that the visitor asked for.
    let host: String
    /// The trusted proxy that the connection comes from, whose forwarding fields are kept and added to.
    private(set) var proxy: IPAddress?
    /// What trusted proxies have cut off the path, without a slash at its end; mostly empty.
    private(set) var prefix = ""

    var isFromTrustedProxy: Bool { self.proxy != nil }
}

/// Decides whom to believe about a request's origin (RFC 7239 §8.1).
package struct VisitorTrust: Sendable {
    let trustedProxies: [AddressRange]
    /// The field in which the nearest proxy names the visitor, if it is not `X-Forwarded-For`.
    let clientIPHeader: String?
    /// Whether connections to our own listener are encrypted.
    let isTLS: Bool
    /// Whether the public URL says `https`: how visitors come where no trusted proxy says it.
    let isPublicTLS: Bool

    /// - Parameters:
    ///   - trustedProxies: The networks whose forwarding fields are believed.
    ///   - clientIPHeader: The field in which the nearest proxy names the visitor, if it is not `X-Forwarded-For`.
    ///   - isTLS: Whether connections to our own listener are encrypted.
    ///   - isPublicTLS: Whether the public URL says `https`.
    package init(trustedProxies: [AddressRange], clientIPHeader: String?, isTLS: Bool, isPublicTLS: Bool = false) {
        self.trustedProxies = trustedProxies
        self.clientIPHeader = clientIPHeader
        self.isTLS = isTLS
        self.isPublicTLS = isPublicTLS
    }

    /// Finds the visitor of a request.
    ///
    /// - Parameters:
    ///   - section: The request's fields.
    ///   - peer: Where the connection comes from; `nil` if that is no IP socket.
    func visitor(_ section: FieldSection, peer: IPAddress?) -> Visitor {
        let host = section.first(.host) ?? ""
        // Without a proxy that is trusted, `public.url` knows best what stands in front of this edge.
        let isEncrypted = self.isTLS || (self.trustedProxies.isEmpty && self.isPublicTLS)
        let ownScheme = isEncrypted ? "https" : "http"
        guard let peer, self.isTrusted(peer) else {
            return Visitor(address: peer, scheme: ownScheme, host: host)
        }
        let scheme = Self.firstMember(section.first(.xForwardedProto)).flatMap(Self.scheme)
        let forwardedHost = Self.firstMember(section.first(.xForwardedHost))
        return Visitor(
            // Who can't be read is nobody, and not the proxy, which an IP list may well admit.
            address: self.client(section, proxy: peer),
            scheme: scheme ?? ownScheme,
            // What is no host must not get into URLs and fields of ours.
            host: forwardedHost.flatMap { HeadParser.isHost($0) ? $0 : nil } ?? host,
            proxy: peer,
            prefix: Self.prefix(section.values(.xForwardedPrefix))
        )
    }

    /// What proxies have cut off the path, one after the other; nothing if a part of it is no path.
    private static func prefix(_ values: [String]) -> String {
        guard !values.isEmpty else { return "" }
        var prefix = ""
        for value in values.flatMap({ $0.split(separator: ",") }) {
            var part = value.trimmingSpaces()
            while part.hasSuffix("/") { part.removeLast() }
            let segments = part.split(separator: "/", omittingEmptySubsequences: false)
            guard
                part.isEmpty
                    || segments.count > 1 && segments[0].isEmpty && segments.dropFirst().allSatisfy(Self.isSegment)
            else { return "" }
            prefix += part
        }
        return prefix.utf8.count <= Self.longestPrefix ? prefix : ""
    }

    private static let longestPrefix = 1_024

    /// Whether a path may have such a segment in a place where everybody reads it alike (RFC 3986 §3.3).
    private static func isSegment(_ segment: Substring) -> Bool {
        !segment.isEmpty && segment != "." && segment != ".."
            && segment.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "-._~!$&'()*+=:@%".utf8.contains(byte)
                }
            }
    }

    /// What the proxy nearest to the visitor said, where each has added to a list.
    private static func firstMember(_ value: String?) -> String? {
        guard let member = value?.split(separator: ",").first?.trimmingSpaces(), !member.isEmpty else { return nil }
        return member
    }

    /// The scheme that a proxy names; that of a WebSocket is that of its handshake (RFC 6455 §3).
    private static func scheme(_ name: String) -> String? {
        switch name.lowercased() {
        case "https", "wss": "https"
        case "http", "ws": "http"
        default: nil
        }
    }

    /// An address as proxies write it: alone, in brackets, in quotation marks, with a port (RFC 7239 §6).
    static func address(_ text: String) -> IPAddress? {
        var text = text.trimmingSpaces()
        if text.count >= 2, text.hasPrefix("\""), text.hasSuffix("\"") { text = String(text.dropFirst().dropLast()) }
        let isPort = { (port: Substring) in
            (1...5).contains(port.utf8.count) && port.utf8.allSatisfy { (0x30...0x39).contains($0) }
        }
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") && isPort(rest.dropFirst()) else { return nil }
            let inner = String(text[text.index(after: text.startIndex)..<end])
            return inner.contains(":") ? IPAddress(inner) : nil
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        if parts.count == 2 { return isPort(parts[1]) ? IPAddress(String(parts[0])) : nil }
        return IPAddress(text)
    }

    private func isTrusted(_ address: IPAddress) -> Bool {
        self.trustedProxies.contains { $0.contains(address) }
    }

    /// The last address in the chain that no trusted proxy has: what stands before it anybody could have written.
    ///
    /// - Returns: The proxy itself if it names nobody, and `nil` if it names somebody who can't be read.
    private func client(_ section: FieldSection, proxy: IPAddress) -> IPAddress? {
        if let clientIPHeader,
            let value = section.textFields.last(where: { $0.name.lowercased() == clientIPHeader.lowercased() })?.value
        {
            return Self.address(value)
        }
        let said = section.values(.xForwardedFor)
        guard !said.isEmpty else {
            // It names somebody in a field that is not read here: that is not the proxy itself.
            return section.contains(.forwarded) || section.contains(.xRealIP) ? nil : proxy
        }
        let chain = said.flatMap { $0.split(separator: ",") }.map { $0.trimmingSpaces() }.filter { !$0.isEmpty }
        // Nobody where the field is there and empty.
        var client: IPAddress?
        for member in chain.reversed() {
            guard let address = Self.address(member) else { return nil }
            client = address
            if !self.isTrusted(address) { break }
        }
        return client
    }
}
