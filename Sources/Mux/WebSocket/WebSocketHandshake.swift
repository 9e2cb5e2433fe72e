// SPDX-License-Identifier: Apache-2.0
import Crypto
import Foundation
import Protocol

/// The opening handshake of RFC 6455 §4 as docs/protocol.md §B.2 narrows it, apart from I/O.
public enum WebSocketHandshake {
    /// The subprotocol that both sides speak.
    public static let subprotocol = WireFormat.subprotocol

    /// One field of a head, as it was received.
    public typealias Field = (name: String, value: String)

    /// Why the server does not upgrade.
    public struct Refusal: Error, Hashable, Sendable {
        /// The status of the answer.
        public var status: Int
        /// A stable code.
        public var code: String
        /// What was wrong and what to do.
        public var reason: String
        /// Further fields that the answer needs.
        public var fields: [String: String]

        init(_ status: Int, _ code: String, _ reason: String, fields: [String: String] = [:]) {
            self.status = status
            self.code = code
            self.reason = reason
            self.fields = fields
        }
    }

    /// Checks a request to upgrade.
    ///
    /// - Parameter fields: The request's fields in the order they came.
    /// - Returns: The fields of the 101, or why not.
    public static func accept(fields: [Field]) -> Result<[Field], Refusal> {
        func values(_ name: String) -> [String] {
            fields.filter { $0.name.lowercased() == name }.map(\.value)
        }
        func tokens(_ name: String) -> [String] {
            values(name).flatMap { $0.split(separator: ",") }.map { $0.trimmingCharacters(in: .whitespaces) }
        }
        // A browser must never be able to speak this protocol: it can't leave the field out.
        guard values("origin").isEmpty else {
            return .failure(Refusal(403, "origin_forbidden", "A browser can't be a connector."))
        }
        guard tokens("upgrade").contains(where: { $0.lowercased() == "websocket" }),
            tokens("connection").contains(where: { $0.lowercased() == "upgrade" })
        else {
            return .failure(
                Refusal(
                    426,
                    "upgrade_required",
                    "This address is for connectors and speaks WebSocket only.",
                    fields: ["Upgrade": "websocket", "Connection": "Upgrade"]
                )
            )
        }
        guard values("sec-websocket-version") == ["13"] else {
            return .failure(
                Refusal(
                    426,
                    "websocket_version",
                    "Only version 13 of WebSocket is spoken here.",
                    fields: ["Sec-WebSocket-Version": "13", "Upgrade": "websocket", "Connection": "Upgrade"]
                )
            )
        }
        let keys = values("sec-websocket-key")
        guard keys.count == 1, let key = keys.first, Data(base64Encoded: key)?.count == 16 else {
            return .failure(Refusal(400, "websocket_key", "Sec-WebSocket-Key must be 16 bytes in base 64."))
        }
        guard tokens("sec-websocket-protocol").contains(Self.subprotocol) else {
            return .failure(
                Refusal(
                    400,
                    "subprotocol_required",
                    "The connector must offer the subprotocol \(Self.subprotocol); bring edge and connector up to date."
                )
            )
        }
        return .success([
            ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", Self.acceptValue(key)),
            ("Sec-WebSocket-Protocol", Self.subprotocol),
        ])
    }

    /// What the server must answer to a key (RFC 6455 §4.2.2).
    static func acceptValue(_ key: String) -> String {
        let digest = Insecure.SHA1.hash(data: Data((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8))
        return Data(digest).base64EncodedString()
    }

    /// A new random key: the base 64 of 16 bytes.
    public static func makeKey() -> String {
        Data((0..<16).map { _ in UInt8.random(in: .min ... .max) }).base64EncodedString()
    }
}
