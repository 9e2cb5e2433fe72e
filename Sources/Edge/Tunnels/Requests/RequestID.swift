// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Names one request in logs, in answers and to the connector, as 16 bytes.
///
/// It is unique, and no secret: drawn from a count and what the process began with, without asking the system each time.
package struct RequestID: Hashable, Sendable, CustomStringConvertible {
    private let high: UInt64
    private let low: UInt64

    private static let seed = (UInt64.random(in: .min ... .max), UInt64.random(in: .min ... .max))
    private static let count = Atomic<UInt64>(0)

    /// Draws an id, on any thread.
    package init() {
        let number = Self.count.wrappingAdd(1, ordering: .relaxed).newValue
        self.high = Self.mixed(Self.seed.0 &+ number &* 0x9e37_79b9_7f4a_7c15)
        self.low = Self.mixed(Self.seed.1 ^ self.high)
    }

    /// Spreads every bit over all of them, one value for one value (the last step of SplitMix64).
    private static func mixed(_ value: UInt64) -> UInt64 {
        var value = value
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }

    /// The number that its digits show.
    package var number: UInt128 { UInt128(self.high) << 64 | UInt128(self.low) }

    private func byte(_ index: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: (index < 8 ? self.high : self.low) >> (56 - (index & 7) * 8))
    }

    /// 32 lower-case hexadecimal digits.
    package var description: String {
        String(unsafeUninitializedCapacity: 32) { buffer in
            for index in 0..<16 {
                let byte = self.byte(index)
                buffer[index * 2] = Self.digit(byte >> 4)
                buffer[index * 2 + 1] = Self.digit(byte & 0x0f)
            }
            return 32
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") - 10 + value
    }
}
