// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// An IP address with a port, as OPEN and OPEN_ACK carry it (docs/protocol.md §B.4.2).
public struct NetworkEndpoint: Hashable, Sendable {
    /// Four or sixteen bytes in network order.
    public private(set) var address: [UInt8]
    /// The port.
    public var port: UInt16

    /// Makes an endpoint.
    ///
    /// - Parameters:
    ///   - address: Four bytes (IPv4) or sixteen (IPv6) in network order; anything else gives `nil`.
    ///   - port: The port.
    public init?(address: [UInt8], port: UInt16) {
        guard address.count == 4 || address.count == 16 else { return nil }
        self.address = address
        self.port = port
    }

    /// Takes the address of a socket; `nil` for one that is not an IP socket.
    public init?(_ socketAddress: SocketAddress) {
        // The address follows family and port in sockaddr_in, and the flow label too in sockaddr_in6 (RFC 3493 §3.3).
        switch socketAddress {
        case .v4(let address): self.address = withUnsafeBytes(of: address.address) { Array($0[4..<8]) }
        case .v6(let address): self.address = withUnsafeBytes(of: address.address) { Array($0[8..<24]) }
        case .unixDomainSocket:
            return nil
        }
        self.port = UInt16(truncatingIfNeeded: socketAddress.port ?? 0)
    }

    /// Reads `u8 family, address, u16 port`; `nil` unless it fills the whole value.
    init?(value: ByteBuffer) {
        var value = value
        guard let family: UInt8 = value.readInteger() else { return nil }
        let length: Int
        switch family {
        case 4: length = 4
        case 6: length = 16
        default: return nil
        }
        guard let address = value.readBytes(length: length), let port: UInt16 = value.readInteger(),
            value.readableBytes == 0
        else { return nil }
        self.address = address
        self.port = port
    }

    func write(into buffer: inout ByteBuffer) {
        buffer.writeInteger(UInt8(self.address.count == 4 ? 4 : 6))
        buffer.writeBytes(self.address)
        buffer.writeInteger(self.port)
    }
}

extension NetworkEndpoint: CustomStringConvertible {
    /// For logs.
    public var description: String {
        let packed = ByteBuffer(bytes: self.address)
        guard let address = try? SocketAddress(packedIPAddress: packed, port: Int(self.port)),
            let text = address.ipAddress
        else { return "?" }
        return self.address.count == 4 ? "\(text):\(self.port)" : "[\(text)]:\(self.port)"
    }
}
