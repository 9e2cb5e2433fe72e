// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import NIOCore
import Protocol

/// What a header of the PROXY protocol says of a connection (HAProxy's proxy-protocol.txt, versions 1 and 2).
package struct ProxyHeader: Equatable, Sendable {
    /// Where the connection comes from.
    package var source: NetworkEndpoint
    /// Where it was made to.
    package var destination: NetworkEndpoint

    /// The 12 bytes with which a header of version 2 begins (§2.2).
    static let signature: [UInt8] = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]

    /// Describes a connection.
    package init(source: NetworkEndpoint, destination: NetworkEndpoint) {
        self.source = source
        self.destination = destination
    }

    /// The bytes of a header; empty for a version that has none.
    ///
    /// - Parameters:
    ///   - version: The version.
    ///   - header: What it says; `nil` for a connection of which nothing is known (UNKNOWN in v1, LOCAL in v2).
    static func bytes(_ version: ProxyProtocol, _ header: ProxyHeader?) -> ByteBuffer {
        switch version {
        case .off: ByteBuffer()
        case .v1: ByteBuffer(string: header?.line ?? "PROXY UNKNOWN\r\n")
        case .v2: header?.binary ?? ByteBuffer(bytes: Self.signature + [0x20, 0x00, 0x00, 0x00])
        }
    }

    private var isIPv4: Bool { self.source.address.count == 4 && self.destination.address.count == 4 }

    /// Version 1 (§2.1): one line; addresses of two families are both written as IPv6.
    private var line: String {
        let isIPv4 = self.isIPv4
        let (source, destination) = (
            Self.text(self.source, isIPv4: isIPv4), Self.text(self.destination, isIPv4: isIPv4)
        )
        let family = isIPv4 ? "TCP4" : "TCP6"
        return "PROXY \(family) \(source) \(destination) \(self.source.port) \(self.destination.port)\r\n"
    }

    /// Version 2 (§2.2): PROXY over TCP.
    private var binary: ByteBuffer {
        let isIPv4 = self.isIPv4
        var buffer = ByteBuffer(bytes: Self.signature)
        buffer.writeInteger(UInt8(0x21))
        buffer.writeInteger(UInt8(isIPv4 ? 0x11 : 0x21))
        buffer.writeInteger(UInt16(isIPv4 ? 12 : 36))
        buffer.writeBytes(Self.address(self.source, isIPv4: isIPv4))
        buffer.writeBytes(Self.address(self.destination, isIPv4: isIPv4))
        buffer.writeInteger(self.source.port)
        buffer.writeInteger(self.destination.port)
        return buffer
    }

    /// The address, in IPv6 form (RFC 4291 §2.5.5.2) where the other one is no IPv4 address.
    private static func address(_ endpoint: NetworkEndpoint, isIPv4: Bool) -> [UInt8] {
        guard !isIPv4, endpoint.address.count == 4 else { return endpoint.address }
        return Array(repeating: 0, count: 10) + [0xff, 0xff] + endpoint.address
    }

    private static func text(_ endpoint: NetworkEndpoint, isIPv4: Bool) -> String {
        let bytes = Self.address(endpoint, isIPv4: isIPv4)
        let address = try? SocketAddress(packedIPAddress: ByteBuffer(bytes: bytes), port: 0)
        return address?.ipAddress ?? (isIPv4 ? "0.0.0.0" : "::")
    }
}
