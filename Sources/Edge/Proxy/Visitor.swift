// SPDX-License-Identifier: Apache-2.0
import EdgeTunnels
import HTTP1
import NIOCore

/// Who sent a request, as far as we may believe it.
struct Visitor: Equatable, Sendable {
    /// The visitor's address: the socket's, or the one that a trusted proxy names.
    var address: IPAddress?
    /// How the visitor came: `http` or `https`.
    var scheme: String
    /// The host that the visitor asked for.
    var host: String
    /// The trusted proxy that the connection comes from, whose forwarding fields are kept and added to.
    var proxy: IPAddress?

    var isFromTrustedProxy: Bool { self.proxy != nil }
}

/// Decides whom to believe about a request's origin (RFC 7239 §8.1).
package struct VisitorTrust: Sendable {
    let trustedProxies: [AddressRange]
    /// The field in which the nearest proxy names the visitor, if it is not `X-Forwarded-For`.
    let clientIPHeader: String?
    /// Whether connections to our own listener are encrypted.
    let isTLS: Bool

    /// - Parameters:
    ///   - trustedProxies: The networks whose forwarding fields are believed.
    ///   - clientIPHeader: The field in which the nearest proxy names the visitor, if it is not `X-Forwarded-For`.
    ///   - isTLS: Whether connections to our own listener are encrypted.
    package init(trustedProxies: [AddressRange], clientIPHeader: String?, isTLS: Bool) {
        self.trustedProxies = trustedProxies
        self.clientIPHeader = clientIPHeader
        self.isTLS = isTLS
    }

    /// Finds the visitor of a request.
    ///
    /// - Parameters:
    ///   - section: The request's fields.
    ///   - socketAddress: Where the connection comes from.
    func visitor(_ section: FieldSection, socketAddress: SocketAddress?) -> Visitor {
        let peer = IPAddress(socketAddress)
        let host = section.first(.host) ?? ""
        let ownScheme = self.isTLS ? "https" : "http"
        guard let peer, self.isTrusted(peer) else {
            return Visitor(address: peer, scheme: ownScheme, host: host)
        }
        let scheme = Self.firstMember(section.first(.xForwardedProto))?.lowercased()
        let forwardedHost = Self.firstMember(section.first(.xForwardedHost))
        return Visitor(
            address: self.client(section) ?? peer,
            scheme: scheme == "https" || scheme == "http" ? scheme ?? ownScheme : ownScheme,
            // What is no host must not get into URLs and fields of ours.
            host: forwardedHost.flatMap { HeadParser.isHost($0) ? $0 : nil } ?? host,
            proxy: peer
        )
    }

    /// What the proxy nearest to the visitor said, where each has added to a list.
    private static func firstMember(_ value: String?) -> String? {
        guard let member = value?.split(separator: ",").first?.trimmingSpaces(), !member.isEmpty else { return nil }
        return member
    }

    private func isTrusted(_ address: IPAddress) -> Bool {
        self.trustedProxies.contains { $0.contains(address) }
    }

    /// The last address in the chain that no trusted proxy has: what stands before it anybody could have written.
    private func client(_ section: FieldSection) -> IPAddress? {
        if let clientIPHeader {
            let value = section.textFields.last { $0.name.lowercased() == clientIPHeader.lowercased() }?.value
            if let address = value.flatMap({ IPAddress($0) }) { return address }
        }
        let chain = section.values(.xForwardedFor).flatMap { $0.split(separator: ",") }
            .map { IPAddress($0.trimmingSpaces()) }
        for address in chain.reversed() {
            guard let address else { return nil }
            if !self.isTrusted(address) { return address }
        }
        return chain.first ?? nil
    }
}
