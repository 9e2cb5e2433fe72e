// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Takes one body off the front of a connection's bytes, in slices.
package struct BodyReader {
    private var state: State
    /// How many bytes have been passed on, framing included.
    package private(set) var passedBytes = 0

    private enum State {
        case complete
        case length(left: UInt64)
        case chunked(ChunkedReader)
        case untilClose
    }

    /// - Parameters:
    ///   - framing: How the body is delimited.
    ///   - isLenient: Whether chunks are read as leniently as servers write them.
    package init(_ framing: BodyFraming, isLenient: Bool = false) {
        switch framing {
        case .none, .length(0): self.state = .complete
        case .length(let length): self.state = .length(left: length)
        case .chunked: self.state = .chunked(ChunkedReader(isLenient: isLenient))
        case .untilClose: self.state = .untilClose
        }
    }

    package var isComplete: Bool {
        if case .complete = self.state { true } else { false }
    }

    package var isUntilClose: Bool {
        if case .untilClose = self.state { true } else { false }
    }

    /// The connection ended: completes a body that is delimited by that, and no other.
    package mutating func connectionEnded() {
        if case .untilClose = self.state { self.state = .complete }
    }

    /// Takes what can be passed on; `nil` until more comes.
    ///
    /// - Parameter contentOnly: Whether the chunks' framing is to be left out.
    package mutating func read(_ buffer: inout ByteBuffer, contentOnly: Bool = false) throws(HTTPFault) -> ByteBuffer? {
        let bytes = try self.take(&buffer, contentOnly)
        self.passedBytes += bytes?.readableBytes ?? 0
        return bytes
    }

    private mutating func take(_ buffer: inout ByteBuffer, _ contentOnly: Bool) throws(HTTPFault) -> ByteBuffer? {
        guard buffer.readableBytes > 0 else { return nil }
        switch self.state {
        case .complete: return nil
        case .untilClose: return buffer.readSlice(length: buffer.readableBytes)
        case .length(let left):
            let count = Int(min(left, UInt64(buffer.readableBytes)))
            self.state = left == UInt64(count) ? .complete : .length(left: left - UInt64(count))
            return buffer.readSlice(length: count)
        case .chunked(var reader):
            // Moved out and back, so that the reader is changed in place.
            self.state = .complete
            var bytes: ByteBuffer?
            do {
                bytes = try reader.read(&buffer, contentOnly: contentOnly)
            } catch {
                self.state = .chunked(reader)
                throw error
            }
            guard reader.isComplete else {
                self.state = .chunked(reader)
                return bytes
            }
            guard !contentOnly else { return bytes }
            var last = reader.lastChunk()
            guard var all = bytes else { return last }
            all.writeBuffer(&last)
            return all
        }
    }
}
