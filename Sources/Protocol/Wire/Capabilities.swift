// SPDX-License-Identifier: Apache-2.0

/// What a side of a session can do beyond the minimum, as bits of HELLO (docs/protocol.md §B.4.1).
///
/// Only what both sides can holds for a session; bits that this version does not know are kept and mean nothing.
public struct Capabilities: OptionSet, Hashable, Sendable {
    /// The bits on the wire.
    public var rawValue: UInt64

    /// Takes any bits.
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// Several tunnels share the session: each is served as long as a stream of kind ``StreamKind/tunnel`` lives
    /// (docs/protocol.md §B.16).
    public static let sharing = Capabilities(rawValue: 1 << 2)
    /// A connector may show a newer token of a tunnel that the session serves, with a stream of kind
    /// ``StreamKind/token`` (docs/protocol.md §B.18).
    public static let renewal = Capabilities(rawValue: 1 << 3)
    /// The session outlives its connection: what was sent is kept until it is acknowledged, and another connection goes
    /// on with it (docs/protocol.md §B.19).
    public static let resume = Capabilities(rawValue: 1 << 4)
    /// The session is a link between two edges, over which each opens streams to tunnels that the other one has
    /// (docs/protocol.md §B.20).
    public static let peer = Capabilities(rawValue: 1 << 5)
}
