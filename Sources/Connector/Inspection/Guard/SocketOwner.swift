// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Finds the user to whom a TCP connection of this machine belongs, in what Linux shows as `/proc/net/tcp`.
package enum SocketOwner {
    /// The user id of the socket whose own end and other end are given.
    ///
    /// - Parameters:
    ///   - local: The socket's own end: for a server, the client's address.
    ///   - remote: Its other end: for a server, the server's address.
    ///   - tables: The texts of `/proc/net/tcp` and `/proc/net/tcp6`.
    /// - Returns: `nil` if there is no such connection.
    package static func userID(local: SocketAddress, remote: SocketAddress, tables: [String]) -> UInt32? {
        guard let local = Self.text(of: local), let remote = Self.text(of: remote) else { return nil }
        for table in tables {
            for line in table.utf8.split(separator: UInt8(ascii: "\n")).dropFirst() {
                let columns = line.split(separator: UInt8(ascii: " "), maxSplits: 8)
                // A connection that its program has closed has no owner any more, which the table shows as root.
                guard columns.count > 7, columns[3].elementsEqual("01".utf8),
                    local.contains(where: { columns[1].elementsEqual($0.utf8) }),
                    remote.contains(where: { columns[2].elementsEqual($0.utf8) })
                else { continue }
                return UInt32(String(columns[7]) ?? "")
            }
        }
        return nil
    }

    /// The spellings of an address in the tables: each 32-bit word in the machine's byte order, then the port.
    private static func text(of address: SocketAddress) -> [String]? {
        guard let port = address.port else { return nil }
        let suffix = ":" + Self.hexadecimal(UInt16(clamping: port), digits: 4)
        // The places of the addresses in sockaddr_in and sockaddr_in6.
        switch address {
        case .v4(let address):
            let word = withUnsafeBytes(of: address.address) { Self.words($0, 4..<8) }
            // A socket of IPv6 may be connected to an address of IPv4.
            return [word + suffix, "0000000000000000FFFF0000" + word + suffix]
        case .v6(let address):
            return [withUnsafeBytes(of: address.address) { Self.words($0, 8..<24) } + suffix]
        case .unixDomainSocket:
            return nil
        }
    }

    private static func words(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> String {
        stride(from: range.lowerBound, to: range.upperBound, by: 4).map { start in
            Self.hexadecimal(bytes.loadUnaligned(fromByteOffset: start, as: UInt32.self), digits: 8)
        }.joined()
    }

    private static func hexadecimal(_ number: some FixedWidthInteger, digits: Int) -> String {
        let text = String(number, radix: 16, uppercase: true)
        return String(repeating: "0", count: digits - text.utf8.count) + text
    }
}
