// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// What OPEN says of a new stream besides its numbers (docs/protocol.md §B.4.2).
public struct OpenMetadata: Hashable, Sendable {
    /// The name of the route at the acceptor, 1 to 255 bytes; never an address that a visitor chose.
    public var target: String
    /// The visitor's address.
    public var remoteAddress: NetworkEndpoint?
    /// The address that the visitor reached.
    public var localAddress: NetworkEndpoint?
    /// The host that the visitor named, or the TLS server name; at most 255 bytes.
    public var host: String?
    /// The number of the request in logs; 16 bytes in network order.
    public var requestID: UInt128?
    /// The W3C trace context; 55 ASCII bytes.
    public var traceparent: String?
    /// The protocol that TLS agreed on; at most 32 bytes.
    public var alpn: String?
    /// How the visitor came.
    public var scheme: Scheme?
    /// What lets a connector serve the tunnel that the target names, for streams of kinds tunnel and token; 1 to
    /// ``maximumTokenLength`` ASCII bytes, and never to be logged.
    public var token: String?

    /// What a token may have for OPEN to have room for it, in bytes.
    public static let maximumTokenLength = 7_680

    /// How a visitor came.
    public enum Scheme: UInt8, Sendable {
        /// Without TLS.
        case http = 1
        /// With TLS.
        case https = 2
    }

    /// Makes metadata with a target alone.
    ///
    /// - Parameter target: The name of the route at the acceptor, 1 to 255 bytes.
    public init(target: String) {
        self.target = target
    }

    enum Entry {
        static let target: UInt16 = 0x0001
        static let remoteAddress: UInt16 = 0x0002
        static let localAddress: UInt16 = 0x0003
        static let host: UInt16 = 0x0004
        static let requestID: UInt16 = 0x0005
        static let traceparent: UInt16 = 0x0006
        static let alpn: UInt16 = 0x0007
        static let scheme: UInt16 = 0x0008
        static let token: UInt16 = 0x0009
    }
}

/// Why the metadata of an OPEN can't be taken: the stream is refused with UNSUPPORTED_METADATA, the session goes on.
public struct MetadataFault: Error, Hashable, Sendable {
    /// What is wrong, for the reason of REJECT.
    public var reason: String
}

extension OpenMetadata {
    /// Reads the entries that OPEN carries.
    ///
    /// - Throws: ``MetadataFault`` for an unknown critical entry, a known one of the wrong length or range, or a
    ///   missing target.
    public init(entries: [TypeLengthValue]) throws(MetadataFault) {
        var target: String?
        self.target = ""
        for entry in entries {
            switch entry.id {
            case Entry.target: target = try Self.text(entry, lengths: 1...255)
            case Entry.remoteAddress: self.remoteAddress = try Self.endpoint(entry)
            case Entry.localAddress: self.localAddress = try Self.endpoint(entry)
            case Entry.host: self.host = try Self.text(entry, lengths: 0...255)
            case Entry.requestID:
                guard entry.value.readableBytes == 16 else { throw Self.fault(entry) }
                self.requestID = entry.value.getInteger(at: entry.value.readerIndex)
            case Entry.traceparent:
                guard entry.value.readableBytesView.allSatisfy({ $0 < 0x80 }) else { throw Self.fault(entry) }
                self.traceparent = try Self.text(entry, lengths: 55...55)
            case Entry.alpn: self.alpn = try Self.text(entry, lengths: 0...32)
            case Entry.scheme:
                guard entry.value.readableBytes == 1, let first = entry.value.readableBytesView.first,
                    let scheme = Scheme(rawValue: first)
                else { throw Self.fault(entry) }
                self.scheme = scheme
            case Entry.token:
                guard entry.value.readableBytesView.allSatisfy({ $0 < 0x80 }) else { throw Self.fault(entry) }
                self.token = try Self.text(entry, lengths: 1...Self.maximumTokenLength)
            default:
                if entry.isCritical { throw MetadataFault(reason: "unknown critical entry \(entry.id)") }
            }
        }
        guard let target else { throw MetadataFault(reason: "no target") }
        self.target = target
    }

    private static func fault(_ entry: TypeLengthValue) -> MetadataFault {
        MetadataFault(reason: "entry \(entry.id) has a bad value")
    }

    private static func text(
        _ entry: TypeLengthValue,
        lengths: ClosedRange<Int>
    ) throws(MetadataFault) -> String {
        guard lengths.contains(entry.value.readableBytes),
            let text = String(validating: entry.value.readableBytesView, as: UTF8.self)
        else { throw Self.fault(entry) }
        return text
    }

    private static func endpoint(_ entry: TypeLengthValue) throws(MetadataFault) -> NetworkEndpoint {
        guard let endpoint = NetworkEndpoint(value: entry.value) else { throw Self.fault(entry) }
        return endpoint
    }

    /// Appends the entries; text beyond its bound is left out rather than sent to be refused.
    func write(into buffer: inout ByteBuffer) {
        buffer.writeTypeLengthValue(Entry.target) { $0.writeString(self.target) }
        if let remoteAddress {
            buffer.writeTypeLengthValue(Entry.remoteAddress) { remoteAddress.write(into: &$0) }
        }
        if let localAddress {
            buffer.writeTypeLengthValue(Entry.localAddress) { localAddress.write(into: &$0) }
        }
        if let host, host.utf8.count <= 255 {
            buffer.writeTypeLengthValue(Entry.host) { $0.writeString(host) }
        }
        if let requestID {
            buffer.writeTypeLengthValue(Entry.requestID) { $0.writeInteger(requestID) }
        }
        if let traceparent, traceparent.utf8.count == 55, traceparent.utf8.allSatisfy({ $0 < 0x80 }) {
            buffer.writeTypeLengthValue(Entry.traceparent) { $0.writeString(traceparent) }
        }
        if let alpn, alpn.utf8.count <= 32 {
            buffer.writeTypeLengthValue(Entry.alpn) { $0.writeString(alpn) }
        }
        if let scheme {
            buffer.writeTypeLengthValue(Entry.scheme) { $0.writeInteger(scheme.rawValue) }
        }
        if let token, (1...Self.maximumTokenLength).contains(token.utf8.count), token.utf8.allSatisfy({ $0 < 0x80 }) {
            buffer.writeTypeLengthValue(Entry.token) { $0.writeString(token) }
        }
    }
}
