// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Program

@Suite("Memory of buffers")
struct BufferMemoryTests {
    /// How many pages the kernel has made for this thread (proc_pid_stat(5)).
    private func faults() throws -> Int {
        let line = try String(contentsOfFile: "/proc/thread-self/stat", encoding: .utf8)
        let fields = try #require(line.split(separator: ")").last).split(separator: " ")
        return try #require(Int(fields[7]))
    }

    /// How many pages the kernel makes while buffers are made and freed in turns, as a backlog of reads is: two mebibytes,
    /// twenty times.
    private func faultsOfBacklog() throws -> Int {
        let before = try self.faults()
        for _ in 0..<20 {
            let buffers = (0..<32).map { _ in
                UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
            }
            for buffer in buffers { _ = buffer.initializeMemory(as: UInt8.self, repeating: 1) }
            for buffer in buffers { buffer.deallocate() }
        }
        return try self.faults() - before
    }

    #if os(Linux) && canImport(Glibc)
    @Test("Buffers that are freed and made again are not cleared by the kernel each time")
    func pages() throws {
        // As the allocator begins by itself.
        #expect(BufferMemory.set(kept: 128 << 10, mapped: 128 << 10))
        let cleared = try self.faultsOfBacklog()
        #expect(BufferMemory.keep())
        _ = try self.faultsOfBacklog()
        let kept = try self.faultsOfBacklog()
        // Each of the twenty turns touches 512 pages.
        #expect(cleared > 1_024 && kept < 256, "\(cleared) pages and \(kept)")
    }
    #endif
}
