// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// What a visitor sent before the connector took the stream: where it does not, another one gets the same.
///
/// Bounded: when it is full, nothing more is read until the stream is taken.
struct FirstBytes: Sendable {
    /// How many bytes are kept, but for those of one read.
    static let limit = 64 << 10

    private(set) var parts: [ByteBuffer] = []
    private(set) var count = 0

    /// Whether more may be read.
    var hasRoom: Bool { self.count < Self.limit }

    /// Keeps bytes.
    mutating func append(_ bytes: ByteBuffer) {
        self.parts.append(bytes)
        self.count += bytes.readableBytes
    }
}
