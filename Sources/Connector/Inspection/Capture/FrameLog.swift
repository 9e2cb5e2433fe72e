// SPDX-License-Identifier: Apache-2.0

import DequeModule
import NIOCore

/// The latest messages of a WebSocket, bounded by number and bytes.
///
/// They lie one behind the other in a few blocks. With memory of its own for each message, small ones cost several times
/// their size, and a thousand WebSockets leave holes in the heap that nobody can use: 50 MiB had 62 MiB resident.
package struct FrameLog: Sendable {
    /// Memory that is reserved at once and goes at once.
    private struct Block {
        /// Each message is a ``Header`` and its content.
        var bytes: [UInt8] = []
        /// How many bytes fit.
        let room: Int
        /// Where the oldest message that is kept still begins.
        var start = 0

        /// What it counts in the budget.
        var cost: Int { self.room + FrameLog.overhead }
    }

    /// What is kept of a message beside its content; of trivial types, so that its bytes are all of it.
    private struct Header: BitwiseCopyable {
        var number: UInt64
        var moment: UInt64
        var size: UInt64
        var decodedSize: UInt64
        var count: UInt32
        var kind: UInt8
        /// Bits of ``Mark``.
        var marks: UInt8

        static let size = MemoryLayout<Header>.size
    }

    private enum Mark {
        static let server: UInt8 = 1
        static let deflated: UInt8 = 2
        static let hasDecodedSize: UInt8 = 4
        static let hasContent: UInt8 = 8
    }

    /// What an array and the allocator need beside a block's bytes.
    private static let overhead = 48
    /// What blocks count, the first, the second and all others, into which four of the longest messages go: of a short
    /// conversation little is reserved in vain, and of few sizes each hole in the heap is filled by the next block.
    private static let sizes = [512, 2_048, 16_640]

    private var blocks: Deque<Block> = []
    /// How many are kept.
    package private(set) var count = 0
    /// How many have passed.
    package private(set) var total = 0
    /// What the blocks count.
    private(set) var bytes = 0
    private var isShed = false

    /// Makes an empty one.
    package init() {}

    /// How much memory has to be reserved before a message can be kept.
    func growth(for frame: FrameCapture) -> Int {
        guard !self.isShed else { return 0 }
        let needed = Header.size + (frame.content?.count ?? 0)
        if let last = self.blocks.last, last.room - last.bytes.count >= needed { return 0 }
        return max(Self.sizes[min(self.blocks.count, Self.sizes.count - 1)], needed + Self.overhead)
    }

    /// Adds a message.
    ///
    /// - Parameters:
    ///   - frame: The message.
    ///   - growth: How much memory was reserved for it.
    /// - Returns: How much less is counted, because older messages had to go.
    mutating func append(_ frame: FrameCapture, growth: Int) -> Int {
        let number = self.total
        self.total += 1
        guard !self.isShed else { return growth }
        if growth > 0 {
            self.blocks.append(Block(room: growth - Self.overhead))
            self.bytes += growth
        }
        let needed = Header.size + (frame.content?.count ?? 0)
        guard let last = self.blocks.indices.last,
            self.blocks[last].room - self.blocks[last].bytes.count >= needed
        else {
            return 0
        }
        // A reader may have a copy: without this its place would be as long as what is in it.
        self.blocks[last].bytes.reserveCapacity(self.blocks[last].room)
        withUnsafeBytes(of: Self.header(of: frame, number: number)) {
            self.blocks[last].bytes.append(contentsOf: $0.prefix(Header.size))
        }
        if let content = frame.content { self.blocks[last].bytes.append(contentsOf: content) }
        self.count += 1
        let before = self.bytes
        while self.count > CaptureBudget.frames { self.dropFirst() }
        while self.bytes > CaptureBudget.frameBytes, self.blocks.count > 1 { self.dropBlock() }
        return before - self.bytes
    }

    /// Counts a message that is not kept.
    mutating func skip() {
        self.total += 1
    }

    /// Drops the older messages until so many bytes are free, or none is left.
    ///
    /// - Returns: How many bytes that frees.
    mutating func drop(bytes: Int) -> Int {
        let before = self.bytes
        while before - self.bytes < bytes, !self.blocks.isEmpty { self.dropBlock() }
        return before - self.bytes
    }

    /// Gives the memory back, and keeps no more.
    mutating func shed() {
        self.blocks = []
        self.count = 0
        self.bytes = 0
        self.isShed = true
    }

    // MARK: Looking

    /// The messages that are kept, oldest first; made anew by each call.
    package var frames: [FrameCapture] { self.frames(after: -1, limit: .max) }

    /// The number of the oldest that is kept.
    package var firstNumber: Int? {
        self.blocks.first.map { block in
            block.bytes.withUnsafeBytes { Int(clamping: Self.header(in: $0, at: block.start).number) }
        }
    }

    /// The first messages with numbers above one.
    ///
    /// - Parameters:
    ///   - number: -1 for the oldest that is kept.
    ///   - limit: How many at most.
    package func frames(after number: Int, limit: Int) -> [FrameCapture] {
        var found: [FrameCapture] = []
        for block in self.blocks {
            block.bytes.withUnsafeBytes { bytes in
                var place = block.start
                while place < bytes.count, found.count < limit {
                    let header = Self.header(in: bytes, at: place)
                    let content = place + Header.size
                    place = content + Int(header.count)
                    guard Int(clamping: header.number) > number else { continue }
                    found.append(Self.frame(header, UnsafeRawBufferPointer(rebasing: bytes[content..<place])))
                }
            }
        }
        return found
    }

    // MARK: Pieces

    private mutating func dropFirst() {
        guard let block = self.blocks.first else { return }
        let header = block.bytes.withUnsafeBytes { Self.header(in: $0, at: block.start) }
        let next = block.start + Header.size + Int(header.count)
        guard next < block.bytes.count else { return self.dropBlock() }
        self.blocks[0].start = next
        self.count -= 1
    }

    private mutating func dropBlock() {
        guard let block = self.blocks.popFirst() else { return }
        self.bytes -= block.cost
        block.bytes.withUnsafeBytes { bytes in
            var place = block.start
            while place < bytes.count {
                place += Header.size + Int(Self.header(in: bytes, at: place).count)
                self.count -= 1
            }
        }
    }

    /// Reads what ``append(_:growth:)`` wrote, so that it is whole.
    private static func header(in bytes: UnsafeRawBufferPointer, at place: Int) -> Header {
        var header = Header(number: 0, moment: 0, size: 0, decodedSize: 0, count: 0, kind: 0, marks: 0)
        withUnsafeMutableBytes(of: &header) { $0.copyBytes(from: bytes[place..<place + Header.size]) }
        return header
    }

    private static func header(of frame: FrameCapture, number: Int) -> Header {
        var marks = frame.side == .server ? Mark.server : 0
        if frame.isDeflated { marks |= Mark.deflated }
        if frame.decodedSize != nil { marks |= Mark.hasDecodedSize }
        if frame.content != nil { marks |= Mark.hasContent }
        return Header(
            number: UInt64(number),
            moment: frame.moment.uptimeNanoseconds,
            size: frame.size,
            decodedSize: frame.decodedSize ?? 0,
            count: UInt32(clamping: frame.content?.count ?? 0),
            kind: frame.kind.code,
            marks: marks
        )
    }

    private static func frame(_ header: Header, _ content: UnsafeRawBufferPointer) -> FrameCapture {
        FrameCapture(
            number: Int(clamping: header.number),
            moment: .uptimeNanoseconds(header.moment),
            side: header.marks & Mark.server != 0 ? .server : .visitor,
            kind: FrameCapture.Kind(code: header.kind) ?? .binary,
            size: header.size,
            decodedSize: header.marks & Mark.hasDecodedSize != 0 ? header.decodedSize : nil,
            isDeflated: header.marks & Mark.deflated != 0,
            content: header.marks & Mark.hasContent != 0 ? Array(content) : nil
        )
    }
}
