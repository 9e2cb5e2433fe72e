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
        #expect(Set(ids.map { $0.number >> 64 }).count == ids.count)
        #expect(Set(ids.map { $0.number & UInt128(UInt64.max) }).count == ids.count)
    }

    @Test("One is 16 bytes, shown as 32 lower-case hexadecimal digits")
    func text() {
        let id = RequestID()
        #expect(id.description.utf8.count == 32)
        #expect(UInt128(id.description, radix: 16) == id.number)
        #expect(id.description == id.description.lowercased())
    }

    @Test("Two that follow each other have nothing in common that could be guessed")
    func spread() {
        var changed = 0
        var last = RequestID().number
        for _ in 0..<1_000 {
            let next = RequestID().number
            changed += (last ^ next).nonzeroBitCount
            last = next
        }
        // Half of 128 bits on average.
        #expect((60_000...68_000).contains(changed))
    }
}
