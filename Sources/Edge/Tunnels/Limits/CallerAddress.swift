// SPDX-License-Identifier: Apache-2.0

/// The address that a limit counts: an IPv4 address, or the /64 of an IPv6 one, since that is what one person has.
package struct CallerAddress: Hashable, Sendable {
    private let bytes: [UInt8]

    /// Makes the key of an address; everything that is no IP address counts as one caller.
    package init(_ address: IPAddress?) {
        let bytes = address?.bytes ?? []
        self.bytes = bytes.count == 16 ? Array(bytes[0..<8]) : bytes
    }
}
