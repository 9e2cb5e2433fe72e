// SPDX-License-Identifier: Apache-2.0

/// The id under which a request is logged at the edge, shown to the visitor and passed to the origin.
struct RequestID: Hashable, Sendable, CustomStringConvertible {
    /// The 16 bytes.
    let bytes: [UInt8]

    /// Draws an id.
    init() {
        var generator = SystemRandomNumberGenerator()
        let (high, low) = (generator.next(), generator.next())
        self.bytes =
            (0..<8).map { UInt8(truncatingIfNeeded: high >> ($0 * 8)) }
            + (0..<8).map { UInt8(truncatingIfNeeded: low >> ($0 * 8)) }
    }

    /// 32 lower-case hexadecimal digits.
    var description: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(unsafeUninitializedCapacity: 32) { buffer in
            for (index, byte) in self.bytes.enumerated() {
                buffer[index * 2] = digits[Int(byte >> 4)]
                buffer[index * 2 + 1] = digits[Int(byte & 0x0f)]
            }
            return 32
        }
    }
}
