// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// What a connector shows to resume a session: 32 random bytes, new in each HELLO of the edge (docs/protocol.md §B.19).
///
/// Never logged; comparing two takes the same time wherever they differ.
public struct ResumeKey: Hashable, Sendable, CustomStringConvertible {
    /// The 32 bytes.
    public let bytes: [UInt8]

    /// How long a key is, in bytes.
    public static let length = 32

    /// Takes the bytes of a key; `nil` if there are not 32.
    public init?(bytes: [UInt8]) {
        guard bytes.count == Self.length else { return nil }
        self.bytes = bytes
    }

    /// Makes a key from the system's generator.
    public init() {
        self.bytes = (0..<Self.length).map { _ in UInt8.random(in: .min ... .max) }
    }

    /// Whether both are the same.
    public static func == (left: ResumeKey, right: ResumeKey) -> Bool {
        zip(left.bytes, right.bytes).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    /// Says nothing of the bytes.
    public var description: String { "<resume key>" }
}

/// The entry RESUME of a connector's HELLO: which session the new connection goes on with (docs/protocol.md §B.19).
public struct ResumeRequest: Hashable, Sendable {
    /// The SESSION_ID of the edge's HELLO; 16 bytes.
    public var sessionID: [UInt8]
    /// The key of the edge's latest HELLO that arrived.
    public var key: ResumeKey
    /// How many messages of the edge's have been received since HELLO.
    public var received: UInt64

    /// Makes a request.
    public init(sessionID: [UInt8], key: ResumeKey, received: UInt64) {
        self.sessionID = sessionID
        self.key = key
        self.received = received
    }

    private static let length = 16 + ResumeKey.length + 8

    /// Reads the value of the entry; `nil` if it has another length.
    init?(value: ByteBuffer) {
        var value = value
        guard value.readableBytes == Self.length, let sessionID = value.readBytes(length: 16),
            let key = value.readBytes(length: ResumeKey.length).flatMap(ResumeKey.init(bytes:)),
            let received: UInt64 = value.readInteger()
        else { return nil }
        self.init(sessionID: sessionID, key: key, received: received)
    }

    func write(into buffer: inout ByteBuffer) {
        buffer.writeBytes(self.sessionID)
        buffer.writeBytes(self.key.bytes)
        buffer.writeInteger(self.received)
    }
}
