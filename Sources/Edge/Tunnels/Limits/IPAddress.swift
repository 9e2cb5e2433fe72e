// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// An IP address as its bytes.
///
/// An IPv4 address in IPv6 form (RFC 4291 §2.5.5.2) is the IPv4 address.
package struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    /// 4 or 16 bytes in network order.
    package let bytes: [UInt8]

    /// Reads an address as text; `nil` for anything else, also for one that names an interface or goes on after a NUL.
    package init?(_ text: String) {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "%") }) else { return nil }
        // A port makes the address complete for the parser; it is not looked at.
        guard let address = try? SocketAddress(ipAddress: text, port: 0) else { return nil }
        self.init(address)
    }

    /// The address of a socket; `nil` if it is no IP socket.
    package init?(_ address: SocketAddress?) {
        guard let address else { return nil }
        // sin_addr is at offset 4 of sockaddr_in, and sin6_addr at offset 8 of sockaddr_in6, on every Unix.
        let bytes: [UInt8]? = address.withSockAddr { pointer, size in
            let raw = UnsafeRawBufferPointer(start: UnsafeRawPointer(pointer), count: size)
            switch address {
            case .v4: return Array(raw[4..<8])
            case .v6: return Array(raw[8..<24])
            case .unixDomainSocket: return nil
            }
        }
        guard let bytes else { return nil }
        let isMapped =
            bytes.count == 16 && bytes[0..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xff && bytes[11] == 0xff
        self.bytes = isMapped ? Array(bytes[12...]) : bytes
    }

    /// The usual spelling.
    package var description: String {
        if self.bytes.count == 4 { return self.dottedQuad }
        return (try? SocketAddress(packedIPAddress: ByteBuffer(bytes: self.bytes), port: 0))?.ipAddress ?? "?"
    }
}

extension IPAddress {
    /// The spelling of an IPv4 address, made digit by digit: each request asks for it.
    fileprivate var dottedQuad: String {
        String(unsafeUninitializedCapacity: 15) { text in
            var count = 0
            func append(_ byte: UInt8) {
                text[count] = byte
                count += 1
            }
            for (index, byte) in self.bytes.prefix(4).enumerated() {
                if index > 0 { append(UInt8(ascii: ".")) }
                if byte >= 100 { append(0x30 + byte / 100) }
                if byte >= 10 { append(0x30 + byte / 10 % 10) }
                append(0x30 + byte % 10)
            }
            return count
        }
    }
}

/// A range of addresses in CIDR notation (RFC 4632 §3.1); a single address is the range of itself.
package struct AddressRange: Hashable, Sendable, CustomStringConvertible {
    private let address: IPAddress
    /// How many leading bits make the network; 0 for everybody.
    package let prefixLength: Int

    /// Reads a range; `nil` unless it is an address, with or without `/` and a prefix length.
    ///
    /// A range of IPv4 addresses in IPv6 form is that of the IPv4 addresses.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first, let address = IPAddress(String(first)), parts.count <= 2 else { return nil }
        let bits = address.bytes.count * 8
        if parts.count == 2 {
            let prefix = bits == 32 && first.contains(":") ? 96 : 0
            guard parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let length = Int(parts[1]),
                (prefix...prefix + bits).contains(length)
            else { return nil }
            self.prefixLength = length - prefix
        } else {
            self.prefixLength = bits
        }
        self.address = address
    }

    package var description: String { "\(self.address)/\(self.prefixLength)" }

    /// Whether an address is within the range; one of the other family never is.
    package func contains(_ other: IPAddress) -> Bool {
        guard other.bytes.count == self.address.bytes.count else { return false }
        var bits = self.prefixLength
        for (one, two) in zip(self.address.bytes, other.bytes) {
            guard bits > 0 else { return true }
            let mask: UInt8 = bits >= 8 ? 0xff : ~(0xff >> UInt8(bits))
            if (one ^ two) & mask != 0 { return false }
            bits -= 8
        }
        return true
    }
}
