// SPDX-License-Identifier: Apache-2.0

import CZlib

/// Undoes what zlib compressed, piece by piece; belongs to one thread at a time.
final class Inflater {
    /// How the compressed bytes are wrapped.
    enum Wrapping: Int32 {
        /// RFC 1951 alone.
        case none = -15
        /// gzip or zlib, whichever it turns out to be (RFC 1950, RFC 1952).
        case gzipOrZlib = 47
    }

    /// How far the bytes were undone.
    enum Outcome: Equatable {
        /// All that came is undone.
        case more
        /// The compressed stream ends here.
        case end
        /// The receiver of the output wants no more.
        case stopped
        /// The bytes are not what they should be.
        case broken
    }

    /// zlib keeps the address of its stream, so that it can't be moved.
    private let stream: UnsafeMutablePointer<z_stream>
    private var output: [UInt8]

    /// Prepares; `nil` if there is no memory.
    ///
    /// - Parameters:
    ///   - wrapping: How the compressed bytes are wrapped.
    ///   - piece: The largest piece of output, in bytes.
    init?(_ wrapping: Wrapping, piece: Int = 8_192) {
        self.stream = .allocate(capacity: 1)
        self.stream.initialize(to: z_stream())
        self.output = [UInt8](repeating: 0, count: piece)
        guard culvert_inflate_begin(self.stream, wrapping.rawValue) == Z_OK else {
            self.stream.deallocate()
            return nil
        }
    }

    deinit {
        inflateEnd(self.stream)
        self.stream.deallocate()
    }

    /// Undoes some bytes.
    ///
    /// - Parameters:
    ///   - bytes: The next compressed bytes.
    ///   - take: Called with each piece of output, which is valid during the call; returns whether it wants more.
    func inflate(_ bytes: UnsafeRawBufferPointer, _ take: (UnsafeRawBufferPointer) -> Bool) -> Outcome {
        guard let start = bytes.bindMemory(to: UInt8.self).baseAddress, !bytes.isEmpty else { return .more }
        let stream = self.stream
        // zlib reads through this pointer and never writes.
        stream.pointee.next_in = UnsafeMutablePointer(mutating: start)
        stream.pointee.avail_in = UInt32(clamping: bytes.count)
        return self.output.withUnsafeMutableBufferPointer { output in
            while true {
                stream.pointee.next_out = output.baseAddress
                stream.pointee.avail_out = UInt32(output.count)
                let result = CZlib.inflate(stream, Z_SYNC_FLUSH)
                let count = output.count - Int(stream.pointee.avail_out)
                if count > 0, !take(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(output)[..<count])) {
                    return .stopped
                }
                switch result {
                case Z_STREAM_END: return .end
                case Z_OK where stream.pointee.avail_in > 0 || stream.pointee.avail_out == 0: continue
                // Z_BUF_ERROR says that there was nothing to do.
                case Z_OK, Z_BUF_ERROR: return .more
                default: return .broken
                }
            }
        }
    }
}
