// SPDX-License-Identifier: Apache-2.0

import ControlAPI

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What a message says, as it is kept: sealed for its own place, so that it can't be shown as another one.
package struct SealedMessage: Sendable {
    package let head: Data
    package let body: Data

    /// Seals a message.
    package init(_ message: NewMessage, keys: SealingKeys, tunnel: TunnelID) throws {
        self.head = try keys.seal(Self.bytes(of: message.head), at: Self.place(message.id, tunnel, "head"))
        self.body = try keys.seal(message.body, at: Self.place(message.id, tunnel, "body"))
    }

    /// Opens a head; `nil` if its key is not there, or it was changed.
    package static func head(_ sealed: Data, of id: String, keys: SealingKeys, tunnel: TunnelID) -> MessageHead? {
        keys.open(sealed, at: self.place(id, tunnel, "head")).flatMap { self.readHead($0) }
    }

    /// Opens a body; `nil` if its key is not there, or it was changed.
    package static func body(_ sealed: Data, of id: String, keys: SealingKeys, tunnel: TunnelID) -> [UInt8]? {
        keys.open(sealed, at: self.place(id, tunnel, "body")).map { Array($0) }
    }

    private static func place(_ id: String, _ tunnel: TunnelID, _ part: String) -> String { "\(tunnel) \(id) \(part)" }

    private static func bytes(of head: MessageHead) throws -> Data {
        // The head itself behind the rest, which is short: bytes in JSON would take four times their place.
        var rest = head
        rest.bytes = []
        let json = try JSONEncoder().encode(rest)
        var bytes = Data()
        withUnsafeBytes(of: UInt32(json.count).bigEndian) { bytes.append(contentsOf: $0) }
        bytes.append(json)
        bytes.append(contentsOf: head.bytes)
        return bytes
    }

    private static func readHead(_ bytes: Data) -> MessageHead? {
        guard bytes.count >= 4 else { return nil }
        let length = bytes.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        guard bytes.count >= 4 + length else { return nil }
        let json = bytes.dropFirst(4).prefix(length)
        guard var head = try? JSONDecoder().decode(MessageHead.self, from: json) else { return nil }
        head.bytes = Array(bytes.dropFirst(4 + length))
        return head
    }
}

extension InboxMessageState {
    /// How stores write it.
    package var number: Int {
        switch self {
        case .waiting: 0
        case .delivered: 1
        case .dead: 2
        }
    }

    /// Reads what a store has written.
    package init(number: Int) {
        switch number {
        case 0: self = .waiting
        case 1: self = .delivered
        default: self = .dead
        }
    }
}
