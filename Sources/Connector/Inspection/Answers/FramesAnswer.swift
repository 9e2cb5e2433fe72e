// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore

/// The messages of a WebSocket, as the inspector's API shows them.
package struct FramesAnswer: Codable, Equatable, Sendable {
    /// One message or control frame.
    package struct Frame: Codable, Equatable, Sendable {
        package var n: Int
        package var atMS: Double
        package var from: String
        package var opcode: String
        package var size: UInt64
        package var decodedSize: UInt64?
        package var isDeflated: Bool
        package var isWhole: Bool
        package var text: String?
        package var base64: String?
        package var code: Int?
        package var reason: String?

        init(_ frame: FrameCapture, of exchange: ExchangeSnapshot) {
            self.n = frame.number
            self.atMS = exchange.span(to: frame.moment).milliseconds
            self.from = frame.side.rawValue
            self.opcode = frame.kind.rawValue
            self.size = frame.size
            self.decodedSize = frame.decodedSize
            self.isDeflated = frame.isDeflated
            self.isWhole = frame.isWhole
            guard let content = frame.content else { return }
            switch frame.kind {
            // A text that is cut may end within a character.
            case .text: self.text = String(decoding: content, as: UTF8.self)
            case .close:
                guard content.count >= 2 else { break }
                self.code = Int(content[0]) << 8 | Int(content[1])
                self.reason = String(decoding: content.dropFirst(2), as: UTF8.self)
            case .binary, .ping, .pong: self.base64 = Data(content).base64EncodedString()
            }
        }

        private enum CodingKeys: String, CodingKey {
            case n
            case atMS = "at_ms"
            case from
            case opcode
            case size
            case decodedSize = "decoded_size"
            case isDeflated = "is_deflated"
            case isWhole = "is_whole"
            case text
            case base64
            case code
            case reason
        }
    }

    package var frames: [Frame]
    /// How many passed.
    package var total: Int
    /// The number of the oldest that is kept.
    package var first: Int

    /// Describes messages.
    ///
    /// - Parameters:
    ///   - exchange: The exchange.
    ///   - after: The number of the last message that the reader has.
    ///   - limit: How many are described.
    package init(_ exchange: ExchangeSnapshot, after: Int, limit: Int) {
        let log = exchange.state.frames ?? FrameLog()
        self.frames = log.frames(after: after, limit: limit).map { Frame($0, of: exchange) }
        self.total = log.total
        self.first = log.firstNumber ?? log.total
    }
}
