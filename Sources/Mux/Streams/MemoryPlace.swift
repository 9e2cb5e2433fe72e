// SPDX-License-Identifier: Apache-2.0

/// Where bytes are in memory, to tell whether they came with one read; keeps nothing alive.
struct MemoryPlace: Hashable {
    let start: UInt
    let end: UInt
    /// How large the storage is, in bytes.
    let capacity: Int

    /// Between messages of one read lie the headers of WebSocket (RFC 6455 §5.2) and mux, and perhaps a few frames.
    private static let headers: UInt = 64

    /// Whether these bytes lie behind others in the same storage, as far as can be told: memory that was asked for
    /// separately lies so only at the ends of two.
    func continues(_ other: MemoryPlace) -> Bool {
        self.capacity == other.capacity && self.start >= other.end && self.start - other.end <= Self.headers
    }
}
