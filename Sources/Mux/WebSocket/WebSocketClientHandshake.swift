// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// The client's side of the opening handshake, apart from I/O (RFC 6455 §4.1, docs/protocol.md §B.2).
public struct WebSocketClientHandshake {
    /// How the handshake ended.
    public enum Outcome: Equatable, Sendable {
        /// The server upgraded; these bytes of the WebSocket came with its answer.
        case upgraded(leftover: ByteBuffer)
        /// The server answered something else.
        case refused(Refusal)
    }

    /// An answer that is not an upgrade.
    public struct Refusal: Error, Hashable, Sendable {
        /// The status of the answer.
        public var status: Int
        /// What `Retry-After` says, in seconds.
        public var retryAfter: Int?
        /// The type of the body.
        public var contentType: String?
        /// The body, at most 64 KiB of it.
        public var body: String
    }

    /// Why the answer makes no sense.
    public enum Failure: Error, Hashable, Sendable {
        /// What came is not HTTP.
        case notHTTP
        /// The answer's head is longer than 16 KiB.
        case headTooLarge
        /// The server upgraded, but not as it was asked to: what was wrong.
        case invalidUpgrade(String)
        /// The connection ended before the answer did.
        case connectionClosed
    }

    /// The request to send.
    public let request: ByteBuffer
    private let expectedAccept: String
    private var received = ByteBuffer()
    /// How far the bytes have been searched for the end of the head, and how much of its mark came last.
    private var (searched, matched) = (0, 0)
    private var refusal: (Refusal, bodyLength: Int?)?

    private static let maximumHead = 16_384
    private static let maximumBody = 65_536

    /// Makes a handshake.
    ///
    /// - Parameters:
    ///   - host: The `Host` field: name and, unless it is the scheme's own, port.
    ///   - target: The request target, beginning with a slash.
    ///   - fields: Further fields, `Authorization` among them.
    ///   - key: The base 64 of 16 bytes; random unless a test wants to repeat.
    public init(
        host: String,
        target: String,
        fields: [(name: String, value: String)],
        key: String = WebSocketHandshake.makeKey()
    ) {
        var request = "GET \(target) HTTP/1.1\r\nHost: \(host)\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        request += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \(key)\r\n"
        request += "Sec-WebSocket-Protocol: \(WebSocketHandshake.subprotocol)\r\n"
        for field in fields { request += "\(field.name): \(field.value)\r\n" }
        self.request = ByteBuffer(string: request + "\r\n")
        self.expectedAccept = WebSocketHandshake.acceptValue(key)
    }

    /// Takes bytes in; `nil` until the outcome is known.
    ///
    /// - Throws: ``Failure``.
    public mutating func receive(_ bytes: ByteBuffer) throws(Failure) -> Outcome? {
        self.received.writeImmutableBuffer(bytes)
        if self.refusal == nil {
            guard let end = self.endOfHead() else {
                guard self.received.readableBytes <= Self.maximumHead else { throw .headTooLarge }
                return nil
            }
            guard end <= Self.maximumHead else { throw .headTooLarge }
            let head = self.received.readString(length: end) ?? ""
            if let outcome = try self.takeHead(head) { return outcome }
        }
        return self.refusalIfComplete(isAtEnd: false)
    }

    /// The connection has ended.
    ///
    /// - Throws: ``Failure/connectionClosed`` unless that ends the body of a refusal.
    public mutating func receivedEnd() throws(Failure) -> Outcome {
        guard let outcome = self.refusalIfComplete(isAtEnd: true) else { throw .connectionClosed }
        return outcome
    }

    /// Searches on from where it stopped, so that a head in many pieces takes no more time than one in a few.
    private mutating func endOfHead() -> Int? {
        for byte in self.received.readableBytesView.dropFirst(self.searched) {
            self.searched += 1
            let wanted: UInt8 = self.matched % 2 == 0 ? 13 : 10
            self.matched = byte == wanted ? self.matched + 1 : (byte == 13 ? 1 : 0)
            if self.matched == 4 { return self.searched }
        }
        return nil
    }

    private mutating func takeHead(_ head: String) throws(Failure) -> Outcome? {
        var lines = head.split(separator: "\r\n", omittingEmptySubsequences: true)[...]
        guard let statusLine = lines.popFirst(), statusLine.hasPrefix("HTTP/1."),
            let statusText = statusLine.split(separator: " ").dropFirst().first,
            let status = Self.number(statusText, digits: 3...3), (100...999).contains(status)
        else { throw .notHTTP }
        var fields: [String: String] = [:]
        for line in lines {
            guard let colon = line.firstIndex(of: ":") else { throw .notHTTP }
            let name = line[..<colon].lowercased()
            let value = line[line.index(after: colon)...].trimmed()
            fields[name] = fields[name].map { "\($0), \(value)" } ?? value
        }
        guard status == 101 else {
            self.refusal = (
                Refusal(
                    status: status,
                    retryAfter: fields["retry-after"].flatMap { Self.number($0, digits: 1...9) },
                    contentType: fields["content-type"],
                    body: ""
                ),
                // What is no length (a negative number, two of them, too large a one) leaves the end of the connection to tell.
                fields["content-length"].flatMap { Self.number($0, digits: 1...9) }
            )
            return nil
        }
        let connection = fields["connection"]?.lowercased().split(separator: ",").map { $0.trimmed() } ?? []
        guard fields["upgrade"]?.lowercased() == "websocket", connection.contains("upgrade") else {
            throw .invalidUpgrade("the answer does not upgrade to WebSocket")
        }
        guard fields["sec-websocket-accept"] == self.expectedAccept else {
            throw .invalidUpgrade("the answer does not fit the key")
        }
        guard fields["sec-websocket-protocol"] == WebSocketHandshake.subprotocol else {
            throw .invalidUpgrade("the server does not speak \(WebSocketHandshake.subprotocol)")
        }
        guard fields["sec-websocket-extensions"] == nil else {
            throw .invalidUpgrade("the server chose an extension that was not offered")
        }
        return .upgraded(leftover: self.received)
    }

    /// A number without a sign.
    private static func number(_ text: some StringProtocol, digits: ClosedRange<Int>) -> Int? {
        guard digits.contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int(text)
    }

    private mutating func refusalIfComplete(isAtEnd: Bool) -> Outcome? {
        guard let (refusal, bodyLength) = self.refusal else { return nil }
        let wanted = min(bodyLength ?? Self.maximumBody, Self.maximumBody)
        guard isAtEnd || self.received.readableBytes >= wanted else { return nil }
        var complete = refusal
        complete.body = self.received.readString(length: min(wanted, self.received.readableBytes)) ?? ""
        return .refused(complete)
    }
}

extension StringProtocol {
    fileprivate func trimmed() -> String {
        var text = Substring(self)
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return String(text)
    }
}
