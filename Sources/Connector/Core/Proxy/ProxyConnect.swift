// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Program

/// The CONNECT exchange with an HTTP proxy, without I/O (RFC 9110 §9.3.6).
package struct ProxyConnect {
    /// How the exchange ended.
    enum Outcome: Equatable {
        /// The connection now leads to the edge; `leftover` are bytes of the edge that arrived with the proxy's answer.
        case connected(leftover: ByteBuffer)
        case failed(ProxyFailure)
    }

    /// The request to send.
    let request: ByteBuffer
    private let showsCredentials: Bool
    private var received = ByteBuffer()
    private var headBytes = 0

    /// The most bytes that the heads of the proxy's answer may have together.
    static let maximumHead = 16_384

    /// Makes the request.
    ///
    /// - Parameters:
    ///   - host: The edge's name; the proxy resolves it.
    ///   - port: The edge's port.
    ///   - credentials: The credentials for the proxy.
    package init(host: String, port: Int, credentials: ProxyCredentials?) {
        let authority = Authority(host: host, port: port).text(omittingPort: nil)
        var request = "CONNECT \(authority) HTTP/1.1\r\nHost: \(authority)\r\n"
        request += "User-Agent: culvert/\(ProgramVersion.current)\r\n"
        if let credentials { request += "Proxy-Authorization: \(credentials.fieldValue)\r\n" }
        self.request = ByteBuffer(string: request + "\r\n")
        self.showsCredentials = credentials != nil
    }

    /// Takes bytes from the proxy; returns `nil` until the outcome is known.
    mutating func receive(_ bytes: ByteBuffer) -> Outcome? {
        self.received.writeImmutableBuffer(bytes)
        while let length = self.headLength() {
            self.headBytes += length
            guard self.headBytes <= Self.maximumHead, let head = self.received.readString(length: length) else {
                return .failed(.notAProxy("its answer is too long"))
            }
            guard let status = Self.status(head) else { return .failed(.notAProxy("its answer is not HTTP")) }
            switch status {
            // An interim response; the final one follows (RFC 9110 §15.2).
            case 100...199: continue
            // Content-Length and Transfer-Encoding of a 2xx to CONNECT mean nothing (RFC 9110 §9.3.6).
            case 200...299: return .connected(leftover: self.received)
            case 407: return .failed(.authentication(wasShown: self.showsCredentials))
            default: return .failed(.refused(status: status))
            }
        }
        guard self.headBytes + self.received.readableBytes <= Self.maximumHead else {
            return .failed(.notAProxy("its answer is too long"))
        }
        return nil
    }

    private func headLength() -> Int? {
        // Lines may end without the CR (RFC 9112 §2.2): an empty line is an LF after an LF, with or without a CR.
        var previous: UInt8?
        var beforePrevious: UInt8?
        for (offset, byte) in self.received.readableBytesView.enumerated() {
            if byte == 10, previous == 10 || (previous == 13 && beforePrevious == 10) { return offset + 1 }
            (beforePrevious, previous) = (previous, byte)
        }
        return nil
    }

    private static func status(_ head: String) -> Int? {
        guard head.hasPrefix("HTTP/1.") else { return nil }
        let parts = head.split(whereSeparator: \.isNewline).first?.split(separator: " ")
        guard let text = parts?.dropFirst().first, text.utf8.count == 3, let status = Int(text),
            (100...999).contains(status)
        else { return nil }
        return status
    }
}
