// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Reads the frames of one direction of a WebSocket as they pass (RFC 6455 §5.2), forgivingly: it looks on, and nothing
/// depends on what it makes of them.
package struct WebSocketReader {
    /// A message of which some frames have passed.
    private struct Message {
        var kind: FrameCapture.Kind
        var isDeflated: Bool
        var size: UInt64 = 0
        var decodedSize: UInt64 = 0
        var content: [UInt8] = []
        /// Whether the content could be decoded so far.
        var isReadable = true
    }

    private enum State {
        case header
        case payload(left: UInt64, mask: (UInt8, UInt8, UInt8, UInt8)?, position: Int, isControl: Bool, isFinal: Bool)
        case broken
    }

    private let side: CaptureSide
    private var inflater: Inflater?
    private var state = State.header
    private var header: [UInt8] = []
    private var message: Message?
    private var control: Message?

    /// The most that one message may decode to, in bytes.
    private static let decodedLimit: UInt64 = 8 << 20
    /// How many bytes are unmasked at a time.
    private static let piece = 4_096
    /// What ends each message in the compressed stream, and is not sent (RFC 7692 §7.2.1).
    private static let tail: [UInt8] = [0x00, 0x00, 0xFF, 0xFF]

    /// - Parameters:
    ///   - side: Who sends.
    ///   - inflates: Whether to undo permessage-deflate.
    package init(side: CaptureSide, inflates: Bool) {
        self.side = side
        self.inflater = inflates ? Inflater(.none, piece: Self.piece) : nil
    }

    /// Takes the next bytes.
    ///
    /// - Parameters:
    ///   - bytes: What has passed.
    ///   - moment: When.
    ///   - report: Called with each message or control frame that is complete.
    /// - Returns: Whether these are frames still.
    package mutating func read(
        _ bytes: UnsafeRawBufferPointer,
        at moment: NIODeadline,
        _ report: (FrameCapture) -> Void
    ) -> Bool {
        var rest = bytes[...]
        while true {
            switch self.state {
            case .broken:
                return false
            case .header:
                guard let byte = rest.popFirst() else { return true }
                self.header.append(byte)
                self.takeHeader()
            case .payload(0, _, _, let isControl, let isFinal):
                self.state = .header
                if isControl || isFinal { self.end(isControl: isControl, at: moment, report) }
            case .payload(let left, let mask, let position, let isControl, let isFinal):
                guard !rest.isEmpty else { return true }
                let count = Int(min(left, UInt64(min(rest.count, Self.piece))))
                let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(count))
                rest = rest.dropFirst(count)
                self.take(piece, mask, position, isControl)
                self.state = .payload(
                    left: left - UInt64(count),
                    mask: mask,
                    position: (position + count) & 3,
                    isControl: isControl,
                    isFinal: isFinal
                )
            }
        }
    }

    private mutating func takeHeader() {
        let header = self.header
        guard header.count >= 2 else { return }
        let lengthBytes = header[1] & 0x7F == 126 ? 2 : header[1] & 0x7F == 127 ? 8 : 0
        let isMasked = header[1] & 0x80 != 0
        guard header.count == 2 + lengthBytes + (isMasked ? 4 : 0) else { return }
        self.header.removeAll(keepingCapacity: true)
        var length = UInt64(header[1] & 0x7F)
        if lengthBytes > 0 { length = header[2..<2 + lengthBytes].reduce(0) { $0 << 8 | UInt64($1) } }
        let isFinal = header[0] & 0x80 != 0
        let isDeflated = header[0] & 0x40 != 0
        let isControl = header[0] & 0x08 != 0
        let maskStart = 2 + lengthBytes
        let mask =
            isMasked
            ? (header[maskStart], header[maskStart + 1], header[maskStart + 2], header[maskStart + 3]) : nil
        switch (header[0] & 0x0F, self.message) {
        case (0x0, .some): break
        case (0x1, nil): self.message = Message(kind: .text, isDeflated: isDeflated)
        case (0x2, nil): self.message = Message(kind: .binary, isDeflated: isDeflated)
        case (0x8, _) where length <= 125: self.control = Message(kind: .close, isDeflated: false)
        case (0x9, _) where length <= 125: self.control = Message(kind: .ping, isDeflated: false)
        case (0xA, _) where length <= 125: self.control = Message(kind: .pong, isDeflated: false)
        default:
            self.state = .broken
            return
        }
        self.state = .payload(left: length, mask: mask, position: 0, isControl: isControl, isFinal: isFinal)
    }

    private mutating func take(
        _ piece: UnsafeRawBufferPointer,
        _ mask: (UInt8, UInt8, UInt8, UInt8)?,
        _ position: Int,
        _ isControl: Bool
    ) {
        if isControl {
            self.control?.size += UInt64(piece.count)
            Self.unmask(piece, mask, position) { self.control?.content.append(contentsOf: $0) }
            return
        }
        guard var message = self.message.take() else { return }
        message.size += UInt64(piece.count)
        if message.isDeflated {
            if message.isReadable, self.inflater != nil {
                Self.unmask(piece, mask, position) { self.inflate($0, into: &message) }
            } else {
                message.isReadable = false
            }
        } else if message.content.count < CaptureBudget.frameContent {
            let kept = piece.prefix(CaptureBudget.frameContent - message.content.count)
            Self.unmask(UnsafeRawBufferPointer(rebasing: kept), mask, position) {
                message.content.append(contentsOf: $0)
            }
        }
        self.message = message
    }

    private func inflate(_ bytes: UnsafeRawBufferPointer, into message: inout Message) {
        let outcome = self.inflater?.inflate(bytes) { piece in
            message.decodedSize += UInt64(piece.count)
            message.content += piece.prefix(CaptureBudget.frameContent - message.content.count)
            return message.decodedSize <= Self.decodedLimit
        }
        if outcome == .broken || outcome == .stopped { message.isReadable = false }
    }

    /// Gives a piece without its mask, in memory of the moment: a WebSocket that is quiet keeps nothing for it.
    private static func unmask(
        _ piece: UnsafeRawBufferPointer,
        _ mask: (UInt8, UInt8, UInt8, UInt8)?,
        _ position: Int,
        _ take: (UnsafeRawBufferPointer) -> Void
    ) {
        guard let mask else { return take(piece) }
        withUnsafeTemporaryAllocation(byteCount: piece.count, alignment: 1) { plain in
            for index in 0..<piece.count {
                let key =
                    switch (position + index) & 3 {
                    case 0: mask.0
                    case 1: mask.1
                    case 2: mask.2
                    default: mask.3
                    }
                plain[index] = piece[index] ^ key
            }
            take(UnsafeRawBufferPointer(plain))
        }
    }

    private mutating func end(isControl: Bool, at moment: NIODeadline, _ report: (FrameCapture) -> Void) {
        guard var message = isControl ? self.control.take() : self.message.take() else { return }
        if message.isDeflated {
            if message.isReadable, self.inflater != nil {
                Self.tail.withUnsafeBytes { self.inflate($0, into: &message) }
            } else {
                message.isReadable = false
            }
            // What follows refers to what could not be decoded.
            if !message.isReadable { self.inflater = nil }
        }
        report(
            FrameCapture(
                moment: moment,
                side: self.side,
                kind: message.kind,
                size: message.size,
                decodedSize: message.isDeflated && message.isReadable ? message.decodedSize : nil,
                isDeflated: message.isDeflated,
                content: message.isReadable ? message.content : nil
            )
        )
    }
}
