// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// One message or control frame of a WebSocket (RFC 6455 §5).
package struct FrameCapture: Equatable, Sendable {
    /// What it is.
    package enum Kind: String, CaseIterable, Sendable {
        case text
        case binary
        case close
        case ping
        case pong

        /// The opcode of its first frame.
        var code: UInt8 {
            switch self {
            case .text: 0x1
            case .binary: 0x2
            case .close: 0x8
            case .ping: 0x9
            case .pong: 0xA
            }
        }

        init?(code: UInt8) {
            guard let kind = Self.allCases.first(where: { $0.code == code }) else { return nil }
            self = kind
        }
    }

    /// Counts the messages of a WebSocket from zero.
    package var number: Int
    /// When it was complete.
    package var moment: NIODeadline
    /// Who sent it.
    package var side: CaptureSide
    /// What it is.
    package var kind: Kind
    /// How many bytes of payload passed, without the frames' headers.
    package var size: UInt64
    /// How many bytes these are decoded; `nil` if they were not coded, or can't be decoded.
    package var decodedSize: UInt64?
    /// Whether the payload was compressed (RFC 7692).
    package var isDeflated: Bool
    /// The first bytes, decoded; `nil` if they can't be decoded.
    package var content: [UInt8]?

    /// Makes one.
    package init(
        number: Int = 0,
        moment: NIODeadline,
        side: CaptureSide,
        kind: Kind,
        size: UInt64,
        decodedSize: UInt64? = nil,
        isDeflated: Bool = false,
        content: [UInt8]?
    ) {
        self.number = number
        self.moment = moment
        self.side = side
        self.kind = kind
        self.size = size
        self.decodedSize = decodedSize
        self.isDeflated = isDeflated
        self.content = content
    }

    /// Whether the content is all of it.
    package var isWhole: Bool { self.content.map { UInt64($0.count) } == self.decodedSize ?? self.size }
}
