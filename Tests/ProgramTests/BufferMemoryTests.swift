// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Program

#if canImport(Glibc)
import Glibc
#endif

@Suite("Memory of buffers", .serialized)
struct BufferMemoryTests {
    @Test("Buffers that are freed and made again cost no clearing of pages, where the allocator is glibc's")
    func pages() {
        #if canImport(Glibc)
        #expect(BufferMemory.keep())
        /// Buffers as a backlog of reads has them, twice over; gives how many pages the kernel made.
        func faults() -> Int {
            var (before, after) = (rusage(), rusage())
            getrusage(RUSAGE_THREAD, &before)
            for _ in 0..<20 {
                let buffers = (0..<32).map { _ in
                    UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
                }
                for buffer in buffers { _ = buffer.initializeMemory(as: UInt8.self, repeating: 1) }
                for buffer in buffers { buffer.deallocate() }
            }
            getrusage(RUSAGE_THREAD, &after)
            return after.ru_minflt - before.ru_minflt
        }
        // A round of its own touches 512 pages. The first ones find none.
        _ = faults()
        #expect(faults() < 1_024)
        #endif
    }
}
