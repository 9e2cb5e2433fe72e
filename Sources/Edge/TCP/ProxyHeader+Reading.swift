// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels
import NIOCore
import Protocol

/// What is wrong with the header of the PROXY protocol that a connection begins with, or does not.
package enum ProxyHeaderFault: String, Error, Sendable {
    /// It is none of version 1 or 2.
    case malformed
    /// It did not come whole in time, or the peer ended its side before.
    case missing
    /// The peer ended its side without a byte, as balancers do that only ask whether somebody listens.
    case silent
    /// It came from an address that is not believed.
    case untrusted
}

extension ProxyHeader {
    /// Where the connection comes from, as a socket has it.
    package var sourceAddress: SocketAddress? {
        try? SocketAddress(
            packedIPAddress: ByteBuffer(bytes: self.source.address),
            port: Int(self.source.port)
        )
    }

    /// What the bytes so far are.
    enum Reading: Equatable {
        case incomplete
        /// The header; `nil` if it says that the connection is the peer's own, or of a kind that is not known here.
        case complete(ProxyHeader?)
    }

    /// How long a header may be, in bytes; version 2 has extensions, of which there is no need.
    static let maximumLength = 4_096

    /// Reads the header that begins a connection, and moves the reader index behind it.
    ///
    /// Strict, since whoever is believed can say who the visitor is.
    ///
    /// - Throws: ``ProxyHeaderFault/malformed`` as soon as that can be known.
    static func read(from buffer: inout ByteBuffer) throws(ProxyHeaderFault) -> Reading {
        switch ProxySignature.match(buffer.readableBytesView) {
        case .none: throw .malformed
        case .partly: return .incomplete
        case .line: return try Self.readLine(from: &buffer)
        case .binary: return try Self.readBinary(from: &buffer)
        }
    }

    /// The longest line of version 1, with its end (§2.1).
    private static let longestLine = 107

    private static func readLine(from buffer: inout ByteBuffer) throws(ProxyHeaderFault) -> Reading {
        let view = buffer.readableBytesView.prefix(Self.longestLine)
        guard let end = view.firstIndex(of: UInt8(ascii: "\n")) else {
            guard view.count < Self.longestLine else { throw .malformed }
            return .incomplete
        }
        let line = view[..<end]
        guard line.last == UInt8(ascii: "\r"), line.dropLast().allSatisfy({ (0x20...0x7e).contains($0) }) else {
            throw .malformed
        }
        let words = String(decoding: line.dropLast(), as: UTF8.self).split(
            separator: " ",
            omittingEmptySubsequences: false
        )
        buffer.moveReaderIndex(forwardBy: line.count + 1)
        if words.count > 1, words[1] == "UNKNOWN" { return .complete(nil) }
        guard words.count == 6, words[1] == "TCP4" || words[1] == "TCP6" else { throw .malformed }
        let isIPv4 = words[1] == "TCP4"
        guard let source = Self.endpoint(words[2], words[4], isIPv4: isIPv4),
            let destination = Self.endpoint(words[3], words[5], isIPv4: isIPv4)
        else { throw .malformed }
        return .complete(ProxyHeader(source: source, destination: destination))
    }

    private static func endpoint(_ address: Substring, _ port: Substring, isIPv4: Bool) -> NetworkEndpoint? {
        guard address.contains(":") != isIPv4, let address = IPAddress(String(address)),
            (1...5).contains(port.utf8.count), port.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = UInt16(port)
        else { return nil }
        return NetworkEndpoint(address: address.bytes, port: port)
    }

    /// An IPv4 address in IPv6 form is the IPv4 address.
    private static func endpoint(_ address: [UInt8], _ port: UInt16) -> NetworkEndpoint? {
        let address = IPAddress(try? SocketAddress(packedIPAddress: ByteBuffer(bytes: address), port: 0))
        return address.flatMap { NetworkEndpoint(address: $0.bytes, port: port) }
    }

    private static func readBinary(from buffer: inout ByteBuffer) throws(ProxyHeaderFault) -> Reading {
        let start = buffer.readerIndex + Self.signature.count
        guard let versionAndCommand = buffer.getInteger(at: start, as: UInt8.self) else { return .incomplete }
        guard versionAndCommand == 0x20 || versionAndCommand == 0x21 else { throw .malformed }
        guard let family = buffer.getInteger(at: start + 1, as: UInt8.self),
            let length = buffer.getInteger(at: start + 2, as: UInt16.self)
        else { return .incomplete }
        let whole = Self.signature.count + 4 + Int(length)
        guard whole <= Self.maximumLength else { throw .malformed }
        guard buffer.readableBytes >= whole else { return .incomplete }
        var addresses = buffer.getSlice(at: start + 4, length: Int(length)) ?? ByteBuffer()
        buffer.moveReaderIndex(forwardBy: whole)
        // A check of the balancer's own, and families and protocols that are not known (§2.2): the peer is the visitor.
        guard versionAndCommand == 0x21, family == 0x11 || family == 0x21 else { return .complete(nil) }
        let size = family == 0x11 ? 4 : 16
        guard let source = addresses.readBytes(length: size), let destination = addresses.readBytes(length: size),
            let sourcePort = addresses.readInteger(as: UInt16.self),
            let destinationPort = addresses.readInteger(as: UInt16.self),
            let from = Self.endpoint(source, sourcePort), let to = Self.endpoint(destination, destinationPort)
        else { throw .malformed }
        return .complete(ProxyHeader(source: from, destination: to))
    }
}

/// How headers of the two versions begin.
enum ProxySignature: Equatable {
    case line
    case binary
    /// More bytes have to come.
    case partly
    case none

    private static let beginningOfLine = Array("PROXY ".utf8)

    /// What the first bytes of a connection are.
    static func match(_ bytes: some Collection<UInt8>) -> ProxySignature {
        for (signature, found) in [(Self.beginningOfLine, ProxySignature.line), (ProxyHeader.signature, .binary)]
        where signature.starts(with: bytes.prefix(signature.count)) {
            return bytes.count >= signature.count ? found : .partly
        }
        return .none
    }
}
