// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// What HELLO says: limits that hold for the peer's sending, for the whole session (docs/protocol.md §B.4.1).
///
/// A peer refuses a HELLO whose values lie outside of the ranges named here.
public struct SessionSettings: Hashable, Sendable {
    /// Credit on each stream that the peer opens, before any WINDOW_UPDATE, in bytes: 16 384 to 16 777 216.
    public var initialWindow: UInt32 = 65_536
    /// Credit for all streams together at the start, in bytes: 262 144 to 1 073 741 824.
    public var connectionWindow: UInt32 = 16_777_216
    /// How many streams the peer may open, counted from the start of the session: 0 to 65 535.
    public var maximumStreams: UInt32 = 0
    /// The largest WebSocket message accepted, in bytes: 16 384 to 1 048 576.
    public var maximumMessage: UInt32 = 65_536
    /// After so long without a byte the session is declared dead, in milliseconds: 5 000 to 300 000.
    public var idleTimeoutMilliseconds: UInt32 = 30_000
    /// The sender's program, for logs; at most 64 bytes.
    public var implementation: String?
    /// What names the session where it is resumed, and in logs; 16 bytes.
    public var sessionID: [UInt8]?
    /// The bundle that a connector's session belongs to.
    public var bundle: Bundle?
    /// Edge to connector: what the connector shows to resume the session after this HELLO; 32 random bytes.
    public var resumeKey: ResumeKey?
    /// Edge to connector: how long a session is kept without a connection, in milliseconds: 0 to 600 000.
    public var resumeMilliseconds: UInt32?
    /// Connector to edge: the session that this connection is to go on with.
    public var resume: ResumeRequest?
    /// Edge to connector: the session goes on, and so many of the connector's messages have been received.
    public var resumed: UInt64?
    /// Which edge the sender is, from its start to its end; 10 bytes of lower-case letters and digits.
    public var pod: String?
    /// How many edges are ready, as the sender knows it; advice, not a demand.
    public var pods: UInt16?

    /// Makes the defaults of the protocol.
    public init() {}

    /// One of several sessions of the same connector (docs/protocol.md §B.10).
    public struct Bundle: Hashable, Sendable {
        /// What the sessions of the bundle share; 16 random bytes.
        public var id: [UInt8]
        /// Which of them this one is, from 0.
        public var index: UInt8
        /// How many there are, 1 to 8.
        public var count: UInt8

        /// Makes the place of a session in a bundle.
        public init(id: [UInt8], index: UInt8, count: UInt8) {
            self.id = id
            self.index = index
            self.count = count
        }
    }

    enum Entry {
        static let initialWindow: UInt16 = 0x0001
        static let connectionWindow: UInt16 = 0x0002
        static let maximumStreams: UInt16 = 0x0003
        static let maximumMessage: UInt16 = 0x0004
        static let idleTimeout: UInt16 = 0x0005
        static let implementation: UInt16 = 0x0020
        static let sessionID: UInt16 = 0x0021
        static let bundle: UInt16 = 0x0022
        static let resumeKey: UInt16 = 0x0025
        static let resumeMilliseconds: UInt16 = 0x0026
        static let resume: UInt16 = 0x0027
        static let resumed: UInt16 = 0x0028
        static let pod: UInt16 = 0x0023
        static let pods: UInt16 = 0x0024
    }
}

extension SessionSettings {
    /// Reads the entries of a HELLO.
    ///
    /// - Throws: UNSUPPORTED for an unknown critical entry, PROTOCOL_ERROR for a known one out of its range.
    init(entries: [TypeLengthValue]) throws(ProtocolViolation) {
        self.init()
        for entry in entries {
            switch entry.id {
            case Entry.initialWindow: self.initialWindow = try Self.number(entry, 16_384...16_777_216)
            case Entry.connectionWindow: self.connectionWindow = try Self.number(entry, 262_144...1_073_741_824)
            case Entry.maximumStreams: self.maximumStreams = try Self.number(entry, 0...65_535)
            case Entry.maximumMessage: self.maximumMessage = try Self.number(entry, 16_384...1_048_576)
            case Entry.idleTimeout: self.idleTimeoutMilliseconds = try Self.number(entry, 5_000...300_000)
            case Entry.implementation:
                guard entry.value.readableBytes <= 64,
                    let text = String(validating: entry.value.readableBytesView, as: UTF8.self)
                else { throw Self.violation(entry) }
                self.implementation = text
            case Entry.sessionID:
                guard entry.value.readableBytes == 16 else { throw Self.violation(entry) }
                self.sessionID = Array(entry.value.readableBytesView)
            case Entry.bundle: self.bundle = try Self.bundle(entry)
            case Entry.resumeKey:
                guard let key = ResumeKey(bytes: Array(entry.value.readableBytesView)) else {
                    throw Self.violation(entry)
                }
                self.resumeKey = key
            case Entry.resumeMilliseconds: self.resumeMilliseconds = try Self.number(entry, 0...600_000)
            case Entry.resume:
                guard let request = ResumeRequest(value: entry.value) else { throw Self.violation(entry) }
                self.resume = request
            case Entry.resumed:
                guard entry.value.readableBytes == 8 else { throw Self.violation(entry) }
                self.resumed = entry.value.getInteger(at: entry.value.readerIndex)
            case Entry.pod:
                guard Self.isPod(entry.value.readableBytesView) else { throw Self.violation(entry) }
                self.pod = String(buffer: entry.value)
            case Entry.pods:
                guard entry.value.readableBytes == 2 else { throw Self.violation(entry) }
                self.pods = entry.value.getInteger(at: entry.value.readerIndex)
            default:
                if entry.isCritical {
                    throw ProtocolViolation(.unsupported, "unknown critical setting \(entry.id)")
                }
            }
        }
    }

    private static func isPod(_ bytes: some Collection<UInt8>) -> Bool {
        bytes.count == 10
            && bytes.allSatisfy {
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
            }
    }

    private static func violation(_ entry: TypeLengthValue) -> ProtocolViolation {
        ProtocolViolation(.protocolError, "setting \(entry.id) has a bad value")
    }

    private static func number(
        _ entry: TypeLengthValue,
        _ range: ClosedRange<UInt32>
    ) throws(ProtocolViolation) -> UInt32 {
        var value = entry.value
        guard value.readableBytes == 4, let number: UInt32 = value.readInteger(), range.contains(number) else {
            throw Self.violation(entry)
        }
        return number
    }

    private static func bundle(_ entry: TypeLengthValue) throws(ProtocolViolation) -> Bundle {
        var value = entry.value
        guard value.readableBytes == 18, let id = value.readBytes(length: 16),
            let (index, count) = value.readMultipleIntegers(as: (UInt8, UInt8).self),
            (1...8).contains(count), index < count
        else { throw Self.violation(entry) }
        return Bundle(id: id, index: index, count: count)
    }

    func write(into buffer: inout ByteBuffer) {
        let numbers: [(UInt16, UInt32)] = [
            (Entry.initialWindow, self.initialWindow), (Entry.connectionWindow, self.connectionWindow),
            (Entry.maximumStreams, self.maximumStreams), (Entry.maximumMessage, self.maximumMessage),
            (Entry.idleTimeout, self.idleTimeoutMilliseconds),
        ]
        for (id, number) in numbers {
            buffer.writeTypeLengthValue(id) { $0.writeInteger(number) }
        }
        if let implementation, implementation.utf8.count <= 64 {
            buffer.writeTypeLengthValue(Entry.implementation) { $0.writeString(implementation) }
        }
        if let sessionID, sessionID.count == 16 {
            buffer.writeTypeLengthValue(Entry.sessionID) { $0.writeBytes(sessionID) }
        }
        if let bundle, bundle.id.count == 16 {
            buffer.writeTypeLengthValue(Entry.bundle) {
                $0.writeBytes(bundle.id)
                $0.writeInteger(bundle.index)
                $0.writeInteger(bundle.count)
            }
        }
        if let resumeKey { buffer.writeTypeLengthValue(Entry.resumeKey) { $0.writeBytes(resumeKey.bytes) } }
        if let resumeMilliseconds {
            buffer.writeTypeLengthValue(Entry.resumeMilliseconds) { $0.writeInteger(resumeMilliseconds) }
        }
        if let resume { buffer.writeTypeLengthValue(Entry.resume) { resume.write(into: &$0) } }
        if let resumed { buffer.writeTypeLengthValue(Entry.resumed) { $0.writeInteger(resumed) } }
        if let pod, Self.isPod(pod.utf8) {
            buffer.writeTypeLengthValue(Entry.pod) { $0.writeString(pod) }
        }
        if let pods {
            buffer.writeTypeLengthValue(Entry.pods) { $0.writeInteger(pods) }
        }
    }
}
