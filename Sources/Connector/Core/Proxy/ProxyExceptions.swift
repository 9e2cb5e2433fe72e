// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// The hosts that are reached without a proxy: the value of `NO_PROXY`.
///
/// | entry | what it stands for |
/// |---|---|
/// | `*` | every host |
/// | `example.com`, `.example.com`, `*.example.com` | that name and all names below it |
/// | `192.0.2.7`, `2001:db8::7` | that address |
/// | `192.0.2.0/24`, `2001:db8::/32` | the addresses of that network |
/// | any of them and `:port`; IPv6 in brackets | the same at this port only |
///
/// An entry with an address matches only edges that are given as an address: names are not resolved.
struct ProxyExceptions: Sendable {
    private enum Hosts {
        case all
        case name(String)
        case network(AddressBytes, prefixLength: Int)
    }

    private var entries: [(hosts: Hosts, port: Int?)] = []

    /// Reads a list with commas or blanks between entries; entries that can't be read are ignored.
    init(_ text: String) {
        for entry in text.split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
            let (host, port) = Self.split(entry)
            if let hosts = Self.hosts(host) { self.entries.append((hosts, port)) }
        }
    }

    /// Whether a host is to be reached directly.
    func contain(host: String, port: Int) -> Bool {
        var name = host.lowercased()
        if name.last == "." { name.removeLast() }
        let address = AddressBytes(name)
        return self.entries.contains { entry in
            guard entry.port == nil || entry.port == port else { return false }
            switch entry.hosts {
            case .all: return true
            case .name(let suffix): return address == nil && (name == suffix || name.hasSuffix("." + suffix))
            case .network(let network, let length): return address?.shares(length, with: network) ?? false
            }
        }
    }

    private static func split(_ entry: Substring) -> (host: Substring, port: Int?) {
        if entry.first == "[", let end = entry.firstIndex(of: "]") {
            let rest = entry[entry.index(after: end)...]
            return (entry[entry.index(after: entry.startIndex)..<end], rest.first == ":" ? Int(rest.dropFirst()) : nil)
        }
        // Two colons are an IPv6 address without brackets.
        guard entry.count(where: { $0 == ":" }) == 1, let colon = entry.firstIndex(of: ":"),
            let port = Int(entry[entry.index(after: colon)...])
        else { return (entry, nil) }
        return (entry[..<colon], port)
    }

    private static func hosts(_ text: Substring) -> Hosts? {
        if text == "*" { return .all }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        if let address = AddressBytes(String(parts[0])) {
            guard parts.count == 2 else { return .network(address, prefixLength: address.bitCount) }
            guard let length = Int(parts[1]), (0...address.bitCount).contains(length) else { return nil }
            return .network(address, prefixLength: length)
        }
        var name = text.lowercased()
        if name.hasPrefix("*") { name.removeFirst() }
        while name.first == "." { name.removeFirst() }
        if name.last == "." { name.removeLast() }
        return name.isEmpty ? nil : .name(name)
    }
}

/// The 4 or 16 bytes of an IP address.
private struct AddressBytes: Hashable {
    private let bytes: [UInt8]

    /// Reads an address; nothing for a name.
    init?(_ text: String) {
        // A port makes the address complete for the parser; it is not looked at.
        guard let address = try? SocketAddress(ipAddress: text, port: 0) else { return nil }
        self.bytes = address.withSockAddr { pointer, size in
            let raw = UnsafeRawBufferPointer(start: UnsafeRawPointer(pointer), count: size)
            // sin_addr is at offset 4 of sockaddr_in, and sin6_addr at offset 8 of sockaddr_in6, on every Unix.
            if case .v4 = address { return Array(raw[4..<8]) }
            return Array(raw[8..<24])
        }
    }

    var bitCount: Int { self.bytes.count * 8 }

    /// Whether the first bits are the same.
    func shares(_ bits: Int, with other: AddressBytes) -> Bool {
        guard self.bytes.count == other.bytes.count else { return false }
        var bits = bits
        for (one, two) in zip(self.bytes, other.bytes) where bits > 0 {
            let mask: UInt8 = bits >= 8 ? 0xff : ~(0xff >> UInt8(bits))
            if (one ^ two) & mask != 0 { return false }
            bits -= 8
        }
        return true
    }
}
