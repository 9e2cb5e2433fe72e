// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
import Glibc
#endif

/// How glibc's allocator treats the memory of the buffers that bytes pass through.
///
/// By itself it gives free memory at the end of a thread's heap back to the kernel from 128 KiB on, and has the kernel clear
/// it page by page for the next reads. Where bytes pile up and drain in turns, as those of an upload do, that took a fifth
/// of the edge's processor time. Other allocators are left as they are.
package enum BufferMemory {
    /// How much free memory a thread's heap keeps at its end, in bytes.
    static let keptLength = 4 << 20
    /// From how many bytes on a buffer has pages of its own, which go back as soon as it is freed.
    ///
    /// The allocator raises this by itself where large buffers are freed, but not where ``keptLength`` is set.
    static let mappedLength = 1 << 20

    /// The parameters of mallopt(3).
    private enum Parameter: Int32 {
        case trimThreshold = -1
        case mmapThreshold = -3
    }

    /// Has the allocator keep what passing bytes are about to need again.
    ///
    /// Called once, when the program starts to serve.
    ///
    /// - Returns: Whether the allocator has taken it.
    @discardableResult
    package static func keep() -> Bool {
        #if canImport(Glibc)
        // Swift's module of glibc lacks malloc.h; by name the function is found where there is one.
        guard let symbol = dlsym(nil, "mallopt") else { return false }
        let mallopt = unsafeBitCast(symbol, to: (@convention(c) (Int32, Int32) -> Int32).self)
        return mallopt(Parameter.trimThreshold.rawValue, Int32(Self.keptLength)) == 1
            && mallopt(Parameter.mmapThreshold.rawValue, Int32(Self.mappedLength)) == 1
        #else
        return false
        #endif
    }
}
