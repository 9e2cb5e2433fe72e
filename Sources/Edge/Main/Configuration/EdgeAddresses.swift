// SPDX-License-Identifier: Apache-2.0

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Where the edge can be reached, once it listens.
struct EdgeAddresses: Equatable, Sendable {
    /// The public listener.
    var listen: ListenAddress
    /// The admin listener.
    var admin: ListenAddress
    /// The public URL, without a trailing slash.
    var publicURL: String
    /// The URL under which this machine reaches the public listener, without a trailing slash.
    var localURL: String
    /// The URL of the control API and of connectors, where they have a host of their own.
    var apiURL: String?

    /// Whether the public URL leads here by itself: as that of this machine, by whichever of its names, and with the port.
    var isHere: Bool {
        if self.publicURL == self.localURL { return true }
        guard let visitors = URLComponents(string: self.publicURL), let local = URLComponents(string: self.localURL),
            visitors.scheme == local.scheme, visitors.port == local.port, let host = visitors.host?.lowercased()
        else { return false }
        let name = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        return name.hasSuffix(".localhost") || ListenAddress(host: name, port: 0).isLoopback
    }
}
