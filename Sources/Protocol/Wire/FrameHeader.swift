// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// The eight bytes before each payload, read and written as one 64-bit integer (docs/protocol.md §B.3.2).
public struct FrameHeader: Equatable, Sendable {
    /// The type byte, which may be one that this version does not know.
    public var type: UInt8
    /// The flag bits.
    public var flags: UInt8
    /// The length of the payload that follows, in bytes.
    public var payloadLength: UInt16
    /// The stream that the frame is about, or ``StreamID/session``.
    public var streamID: StreamID

    /// Makes a header from its parts.
    @inlinable
    public init(type: UInt8, flags: UInt8 = 0, payloadLength: UInt16, streamID: StreamID) {
        self.type = type
        self.flags = flags
        self.payloadLength = payloadLength
        self.streamID = streamID
    }

    /// Takes the header apart.
    ///
    /// - Parameter word: The eight bytes in network order, as one integer.
    @inlinable
    public init(word: UInt64) {
        self.type = UInt8(truncatingIfNeeded: word >> 56)
        self.flags = UInt8(truncatingIfNeeded: word >> 48)
        self.payloadLength = UInt16(truncatingIfNeeded: word >> 32)
        self.streamID = StreamID(rawValue: UInt32(truncatingIfNeeded: word))
    }

    /// The eight bytes in network order, as one integer.
    @inlinable
    public var word: UInt64 {
        UInt64(self.type) << 56 | UInt64(self.flags) << 48 | UInt64(self.payloadLength) << 32
            | UInt64(self.streamID.rawValue)
    }
}

extension ByteBuffer {
    /// Appends the header of a frame.
    @inlinable
    package mutating func writeFrameHeader(
        _ type: FrameType,
        flags: UInt8 = 0,
        payloadLength: Int,
        streamID: StreamID
    ) {
        let header = FrameHeader(
            type: type.rawValue,
            flags: flags,
            payloadLength: UInt16(truncatingIfNeeded: payloadLength),
            streamID: streamID
        )
        self.writeInteger(header.word)
    }
}
