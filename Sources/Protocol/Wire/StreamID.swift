// SPDX-License-Identifier: Apache-2.0

/// The number of a stream within its session, 0 for the session itself (docs/protocol.md §B.5).
///
/// Streams that the edge opens have even numbers from 2, those of the connector odd numbers from 1. Numbers follow
/// each other without a gap and are never used twice.
public struct StreamID: RawRepresentable, Hashable, Comparable, Sendable {
    /// The number as it stands in a frame header.
    public var rawValue: UInt32

    /// Takes a number as it stands in a frame header.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// The session itself: what frames about no single stream carry.
    public static let session = StreamID(rawValue: 0)

    /// Whether numbers of this parity are opened by the edge.
    public var isOpenedByEdge: Bool { self.rawValue & 1 == 0 }

    /// How many streams its side has opened when this one is the latest: n for the n-th.
    public var ordinal: UInt32 { self.rawValue / 2 + (self.rawValue & 1) }

    /// By number.
    public static func < (left: StreamID, right: StreamID) -> Bool { left.rawValue < right.rawValue }
}

extension StreamID: CustomStringConvertible {
    /// For logs.
    public var description: String { "\(self.rawValue)" }
}
