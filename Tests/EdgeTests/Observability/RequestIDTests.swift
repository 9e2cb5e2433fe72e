// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Edge
@testable import EdgeTunnels

@Suite("Numbers of requests")
struct RequestIDTests {
    @Test("A hundred thousand are all different, in each half, too")
    func unique() {
        let ids = (0..<100_000).map { _ in RequestID() }
        #expect(Set(ids).count == ids.count)
        #expect(Set(ids.map { Array($0.bytes.prefix(8)) }).count == ids.count)
        #expect(Set(ids.map { Array($0.bytes.suffix(8)) }).count == ids.count)
    }

    @Test("One is 16 bytes, shown as 32 lower-case hexadecimal digits")
    func text() {
        let id = RequestID()
        #expect(id.bytes.count == 16)
        let digits = Array("0123456789abcdef")
        let text = id.bytes.map { "\(digits[Int($0 >> 4)])\(digits[Int($0 & 15)])" }.joined()
        #expect(id.description == text)
    }

    @Test("Two that follow each other have nothing in common that could be guessed")
    func spread() {
        var changed = 0
        var last = RequestID().bytes
        for _ in 0..<1_000 {
            let next = RequestID().bytes
            changed += zip(last, next).reduce(0) { $0 + ($1.0 ^ $1.1).nonzeroBitCount }
            last = next
        }
        // Half of 128 bits on average.
        #expect((60_000...68_000).contains(changed))
    }
}
