// SPDX-License-Identifier: Apache-2.0

/// The address that a limit counts: an IPv4 address, or the /64 of an IPv6 one, since that is what one person has.
package struct CallerAddress: Hashable, Sendable {
    /// The first bytes, eight at most; made for every request, and so without an array of its own.
    private let network: UInt64
    /// 4 or 16; 0 for what is no address.
    private let length: Int

    /// Makes the key of an address; everything that is no IP address counts as one caller.
    package init(_ address: IPAddress?) {
        let bytes = address?.bytes ?? []
        self.network = bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        self.length = bytes.count
    }
}

extension CallerAddress: CustomStringConvertible {
    /// The same at every edge, so that they can count together.
    package var description: String { "\(self.length).\(String(self.network, radix: 16))" }
}
