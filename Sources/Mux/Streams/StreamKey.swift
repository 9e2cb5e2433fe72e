// SPDX-License-Identifier: Apache-2.0

/// Names a stream locally, also before it has a number on the wire and after it has lost it.
///
/// A key is never used for two streams: a place in the table that is used again has a new generation.
public struct StreamKey: Hashable, Sendable {
    /// The place in the table of streams.
    package var slot: Int
    /// How often the place has been used.
    package var generation: UInt32
}
