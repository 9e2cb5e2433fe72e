// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// OPEN: a new stream (docs/protocol.md §B.4.2).
public struct OpenFrame: Hashable, Sendable {
    /// What the bytes of the stream are.
    public var kind: StreamKind
    /// How large its share is.
    public var priority: Priority
    /// The credit that the opener grants for bytes towards itself, in bytes.
    public var window: UInt32
    /// How long the acceptor has for OPEN_ACK or REJECT, in milliseconds; 0 means 10 000.
    public var deadlineMilliseconds: UInt32
    /// What else is said, or why it can't be taken.
    public var metadata: Result<OpenMetadata, MetadataFault>

    /// Makes an OPEN.
    ///
    /// - Parameters:
    ///   - kind: What the bytes of the stream are.
    ///   - priority: How large its share is.
    ///   - window: The credit granted for bytes towards the opener, in bytes.
    ///   - deadlineMilliseconds: How long the acceptor has to answer, in milliseconds; 0 means 10 000.
    ///   - metadata: What else the acceptor must know.
    public init(
        kind: StreamKind,
        priority: Priority = .normal,
        window: UInt32,
        deadlineMilliseconds: UInt32 = 0,
        metadata: OpenMetadata
    ) {
        self.kind = kind
        self.priority = priority
        self.window = window
        self.deadlineMilliseconds = deadlineMilliseconds
        self.metadata = .success(metadata)
    }

    /// Reads the payload of an OPEN frame, whose length has been checked.
    init(payload: inout ByteBuffer) throws(ProtocolViolation) {
        guard
            let (kind, priority, reserved, window, deadline) = payload.readMultipleIntegers(
                as: (UInt8, UInt8, UInt16, UInt32, UInt32).self
            )
        else { throw ProtocolViolation(.frameSizeError, "OPEN is too short") }
        guard reserved == 0, priority & 0xF0 == 0 else {
            throw ProtocolViolation(.protocolError, "reserved bits set in OPEN")
        }
        self.kind = StreamKind(rawValue: kind)
        self.priority = Priority(rawValue: priority)
        self.window = window
        self.deadlineMilliseconds = deadline
        let entries = try payload.readTypeLengthValues()
        do {
            self.metadata = .success(try OpenMetadata(entries: entries))
        } catch {
            self.metadata = .failure(error)
        }
    }

    func write(into buffer: inout ByteBuffer) {
        buffer.writeMultipleIntegers(
            self.kind.rawValue,
            self.priority.rawValue,
            UInt16(0),
            self.window,
            self.deadlineMilliseconds
        )
        if case .success(let metadata) = self.metadata { metadata.write(into: &buffer) }
    }
}
