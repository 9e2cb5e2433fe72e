// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Testing

@testable import Mux

@Suite("How long a message becomes by the pace of the path (B.3.1)")
struct MessageLengthTests {
    private var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private var length = MessageLength()

    /// Writes so many MiB, one after the other, each at this time after the one before.
    private mutating func write(_ mebibytes: Int, each pause: TimeAmount) {
        for _ in 0..<mebibytes {
            self.now = self.now + pause
            self.length.wrote(1 << 20, now: self.now)
        }
    }

    @Test("one record until 16 MiB have gone out at 2 Gbit/s, four from then on")
    mutating func fast() {
        self.write(15, each: .milliseconds(4))
        #expect(self.length.longest == 16_384)
        self.write(1, each: .milliseconds(4))
        #expect(self.length.longest == 65_536)
    }

    @Test("16 MiB that take longer change nothing")
    mutating func slow() {
        self.write(64, each: .milliseconds(5))
        #expect(self.length.longest == 16_384)
    }

    @Test("a path that was fast stays so at half of that pace, and is slow again below it")
    mutating func hysteresis() {
        self.write(16, each: .milliseconds(4))
        self.write(32, each: .milliseconds(8))
        #expect(self.length.longest == 65_536)
        self.write(17, each: .milliseconds(9))
        #expect(self.length.longest == 16_384)
    }

    @Test("what goes out after a pause goes out as on a path that nothing is known of")
    mutating func pause() {
        self.write(16, each: .milliseconds(4))
        self.now = self.now + .milliseconds(200)
        self.length.wrote(100, now: self.now)
        #expect(self.length.longest == 16_384)
        self.write(16, each: .milliseconds(4))
        #expect(self.length.longest == 65_536)
    }
}
