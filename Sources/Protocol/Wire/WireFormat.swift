// SPDX-License-Identifier: Apache-2.0

/// The numbers that the wire format fixes (docs/protocol.md §B.1).
public enum WireFormat {
    /// The length of a frame header, in bytes.
    public static let headerLength = 8
    /// The length of one TLS record that a message is made to fit, in bytes.
    public static let recordLength = 16_384
    /// The most payload that a DATA frame of ours carries in a message of one record, in bytes: with its header, the largest
    /// WebSocket header and one 16-byte control frame it fills the record exactly.
    public static let dataChunk = 16_352
    /// The magic number at the start of HELLO: "MUX1".
    public static let magic: UInt32 = 0x4D55_5831
    /// The greatest offset that credit may name.
    public static let maximumOffset: UInt64 = (1 << 62) - 1
    /// How far credit may reach beyond what was received, in bytes.
    public static let maximumGrant: UInt64 = (1 << 31) - 1
    /// The most payload that OPEN may carry, in bytes.
    public static let maximumOpen = 8_192
    /// The most entries that a list of type-length-values may have.
    public static let maximumEntries = 64
    /// The name of the protocol in `Sec-WebSocket-Protocol`.
    public static let subprotocol = "culvert.mux.v1"
}
