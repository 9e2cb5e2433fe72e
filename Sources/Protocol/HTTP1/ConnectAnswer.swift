// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Reads what a proxy answers to CONNECT, without I/O (RFC 9110 §9.3.6).
package struct ConnectAnswer {
    /// What the answer says.
    package enum Outcome: Equatable {
        /// The connection now leads to the destination; `leftover` are bytes of it that arrived with the answer.
        case connected(leftover: ByteBuffer)
        case refused(status: Int)
        case unreadable(MessageReader.Fault)
    }

    private var reader: MessageReader
    private let maximumBytes: Int
    private var readBytes = 0

    /// - Parameter maximumBytes: The most bytes that the heads of the answer may have together.
    package init(maximumBytes: Int) {
        // Content-Length and Transfer-Encoding of a 2xx to CONNECT mean nothing (RFC 9110 §9.3.6), and a refusal's body
        // is not looked at.
        self.reader = MessageReader(.responses, fields: .none, maximumHead: maximumBytes)
        self.maximumBytes = maximumBytes
    }

    /// Takes bytes from the proxy; returns `nil` until the outcome is known.
    package mutating func receive(_ bytes: ByteBuffer) -> Outcome? {
        var bytes = bytes
        while true {
            let before = bytes.readableBytes
            let step = self.reader.next(&bytes)
            self.readBytes += before - bytes.readableBytes
            guard self.readBytes <= self.maximumBytes else { return .unreadable(.tooLong) }
            switch step {
            case .needsMore: return nil
            case .unreadable(let fault): return .unreadable(fault)
            case .end: return .unreadable(.notHTTP)
            case .head(let head):
                guard case .response(let status) = head.start else { return .unreadable(.notHTTP) }
                switch status {
                // An interim response; the final one follows (RFC 9110 §15.2).
                case 100...199: self.reader.skipInterim()
                case 200...299: return .connected(leftover: bytes)
                default: return .refused(status: status)
                }
            }
        }
    }
}
