// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Program

@Suite("Memory of buffers")
struct BufferMemoryTests {
    // What it gains shows in a program alone (docs/performance.md): here other tests use the same heap.
    @Test("The allocator takes how much it is to keep, where it is glibc's")
    func taken() {
        #if canImport(Glibc)
        #expect(BufferMemory.keep())
        #else
        #expect(!BufferMemory.keep())
        #endif
    }
}
