// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// HELLO: the first frame of each side (docs/protocol.md §B.2, §B.4.1).
public struct HelloFrame: Hashable, Sendable {
    /// The version within `culvert.mux.v1`; informational.
    public var minor: UInt8
    /// Which end of the tunnel speaks, as it stands on the wire.
    public var role: UInt8
    /// What the sender can do beyond the minimum; what both can holds for the session.
    public var capabilities: Capabilities
    /// The limits for the other side's sending.
    public var settings: SessionSettings
    /// An entry with random number and content that every receiver must skip (RFC 8701); sent, never kept.
    package var grease: TypeLengthValue?

    /// Makes a HELLO.
    ///
    /// - Parameters:
    ///   - role: Which end of the tunnel speaks.
    ///   - capabilities: What the sender can do beyond the minimum.
    ///   - settings: The limits for the other side's sending.
    public init(role: SessionRole, capabilities: Capabilities = [], settings: SessionSettings) {
        self.minor = 0
        self.role = role.rawValue
        self.capabilities = capabilities
        self.settings = settings
    }

    /// Reads the payload of a HELLO frame, whose length has been checked.
    init(payload: inout ByteBuffer) throws(ProtocolViolation) {
        guard
            let (magic, minor, role, reserved, capabilities) = payload.readMultipleIntegers(
                as: (UInt32, UInt8, UInt8, UInt16, UInt64).self
            )
        else { throw ProtocolViolation(.frameSizeError, "HELLO is too short") }
        guard magic == WireFormat.magic else { throw ProtocolViolation(.protocolError, "HELLO has a wrong magic") }
        guard reserved == 0 else { throw ProtocolViolation(.protocolError, "reserved bits set in HELLO") }
        self.minor = minor
        self.role = role
        self.capabilities = Capabilities(rawValue: capabilities)
        self.settings = try SessionSettings(entries: payload.readTypeLengthValues())
    }

    func write(into buffer: inout ByteBuffer) {
        buffer.writeMultipleIntegers(WireFormat.magic, self.minor, self.role, UInt16(0), self.capabilities.rawValue)
        self.settings.write(into: &buffer)
        if let grease {
            buffer.writeTypeLengthValue(grease.id) { $0.writeImmutableBuffer(grease.value) }
        }
    }

    /// Whether both say the same; grease does not count.
    public static func == (left: HelloFrame, right: HelloFrame) -> Bool {
        left.minor == right.minor && left.role == right.role && left.capabilities == right.capabilities
            && left.settings == right.settings
    }

    /// Hashes what equality looks at.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(self.role)
        hasher.combine(self.settings)
    }
}

/// Which end of a tunnel a session's side is.
public enum SessionRole: UInt8, Sendable {
    /// The WebSocket client, beside the origin; its streams have odd numbers.
    case connector = 1
    /// The WebSocket server; its streams have even numbers.
    case edge = 2

    /// The other end.
    public var peer: SessionRole { self == .connector ? .edge : .connector }
}
