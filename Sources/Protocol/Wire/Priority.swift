// SPDX-License-Identifier: Apache-2.0

/// How large a share a stream gets among others: the urgency of RFC 9218, which scales shares and never starves.
public struct Priority: Hashable, Sendable {
    /// The byte on the wire: bits 0 to 2 urgency, bit 3 incremental.
    public var rawValue: UInt8

    /// Takes the byte on the wire; its upper four bits must be zero.
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Makes a priority.
    ///
    /// - Parameters:
    ///   - urgency: 0, most urgent, to 7.
    ///   - isIncremental: Whether parts of the answer are useful by themselves; informational.
    public init(urgency: UInt8, isIncremental: Bool = false) {
        self.rawValue = (urgency & 0x07) | (isIncremental ? 0x08 : 0)
    }

    /// Urgency 3, what RFC 9218 §4.1 takes when nothing is said.
    public static let normal = Priority(urgency: 3)

    /// 0, most urgent, to 7.
    public var urgency: UInt8 { self.rawValue & 0x07 }

    /// Whether parts of the answer are useful by themselves.
    public var isIncremental: Bool { self.rawValue & 0x08 != 0 }
}
