// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import NIOPosix
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Standard input and output as one channel.
package enum StandardStreams {
    /// Opens the channel, whose automatic reading is off.
    ///
    /// - Parameter eventLoop: Where it is to live.
    package static func open(on eventLoop: any EventLoop) async throws -> any Channel {
        try await NIOPipeBootstrap(group: eventLoop)
            .channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(EarlyInput()) }
            }
            .takingOwnershipOfDescriptors(
                input: try Self.pollable(STDIN_FILENO, isInput: true),
                output: try Self.pollable(STDOUT_FILENO, isInput: false)
            )
            .get()
    }

    /// A descriptor that an event loop can wait for: files and the like are read and written by a thread of their own.
    private static func pollable(_ descriptor: CInt, isInput: Bool) throws -> CInt {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw IOError(errnoCode: errno, reason: "fstat") }
        let kind = status.st_mode & S_IFMT
        if kind == S_IFSOCK || kind == S_IFIFO { return dup(descriptor) }
        var ends: [CInt] = [-1, -1]
        guard pipe(&ends) == 0 else { throw IOError(errnoCode: errno, reason: "pipe") }
        let (from, to) = isInput ? (descriptor, ends[1]) : (ends[0], descriptor)
        let thread = Thread {
            Self.copy(from: from, to: to)
            if !isInput { Self.copied.signal() }
        }
        thread.start()
        if !isInput { Self.hasCopier.store(true, ordering: .relaxed) }
        return isInput ? ends[0] : ends[1]
    }

    /// Waits until everything that was written has left the program.
    package static func drain() {
        if Self.hasCopier.load(ordering: .relaxed) { Self.copied.wait() }
    }

    private static let copied = DispatchSemaphore(value: 0)
    private static let hasCopier = Atomic<Bool>(false)

    private static func copy(from input: CInt, to output: CInt) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(input, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            var written = 0
            while written < count {
                let step = buffer.withUnsafeBytes {
                    write(output, $0.baseAddress?.advanced(by: written), count - written)
                }
                if step < 0, errno == EINTR { continue }
                guard step > 0 else { return }
                written += step
            }
        }
        close(output)
    }
}
