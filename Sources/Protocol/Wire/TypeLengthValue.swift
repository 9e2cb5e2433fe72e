// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// One entry of the extensible part of HELLO, OPEN and OPEN_ACK (docs/protocol.md §B.3.3).
public struct TypeLengthValue: Equatable, Sendable {
    /// What the value is, by the table of the frame it stands in.
    public var id: UInt16
    /// The bytes of the value.
    public var value: ByteBuffer

    /// From this number on an unknown entry is refused rather than skipped.
    public static let firstCritical: UInt16 = 0x8000

    /// Makes an entry.
    public init(id: UInt16, value: ByteBuffer) {
        self.id = id
        self.value = value
    }

    /// Whether a receiver that does not know the entry must refuse it.
    public var isCritical: Bool { self.id >= Self.firstCritical }
}

extension ByteBuffer {
    /// Reads entries to the end of the buffer.
    ///
    /// - Throws: PROTOCOL_ERROR for a truncated entry, a repeated number, or more than 64 entries.
    mutating func readTypeLengthValues() throws(ProtocolViolation) -> [TypeLengthValue] {
        var entries: [TypeLengthValue] = []
        while self.readableBytes > 0 {
            guard let (id, length) = self.readMultipleIntegers(as: (UInt16, UInt16).self) else {
                throw ProtocolViolation(.protocolError, "truncated metadata entry")
            }
            guard let value = self.readSlice(length: Int(length)) else {
                throw ProtocolViolation(.protocolError, "metadata entry \(id) is longer than its frame")
            }
            guard !entries.contains(where: { $0.id == id }) else {
                throw ProtocolViolation(.protocolError, "metadata entry \(id) stands twice")
            }
            guard entries.count < WireFormat.maximumEntries else {
                throw ProtocolViolation(
                    exceeding: .entries,
                    "more than \(WireFormat.maximumEntries) metadata entries"
                )
            }
            entries.append(TypeLengthValue(id: id, value: value))
        }
        return entries
    }

    /// Appends one entry whose value `body` writes.
    mutating func writeTypeLengthValue(_ id: UInt16, _ body: (inout ByteBuffer) -> Void) {
        self.writeInteger(id)
        let lengthIndex = self.writerIndex
        self.writeInteger(UInt16(0))
        body(&self)
        let length = UInt16(truncatingIfNeeded: self.writerIndex - lengthIndex - 2)
        self.setInteger(length, at: lengthIndex)
    }
}
