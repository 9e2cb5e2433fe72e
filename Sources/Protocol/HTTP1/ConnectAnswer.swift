// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Reads what a proxy answers to CONNECT, without I/O (RFC 9110 §9.3.6).
package struct ConnectAnswer {
    /// What the answer says.
    package enum Outcome: Equatable {
        /// The connection now leads to the destination; `leftover` are bytes of it that arrived with the answer.
        case connected(leftover: ByteBuffer)
        case refused(status: Int)
        case unreadable(Fault)
    }

    /// Why an answer can't be read.
    package enum Fault: Equatable {
        case notHTTP
        /// Its heads are longer than they may be.
        case tooLong
    }

    private let maximumBytes: Int
    private var parser: HeadParser
    private var unread = ByteBuffer()
    /// What the interim responses had.
    private var readBytes = 0

    /// - Parameter maximumBytes: The most bytes that the heads of the answer may have together.
    package init(maximumBytes: Int) {
        self.maximumBytes = maximumBytes
        self.parser = HeadParser(maximumBytes: maximumBytes)
    }

    /// Takes bytes from the proxy; returns `nil` until the outcome is known.
    ///
    /// Content-Length and Transfer-Encoding of a 2xx to CONNECT mean nothing (RFC 9110 §9.3.6), and a refusal's body is not
    /// looked at.
    package mutating func receive(_ bytes: ByteBuffer) -> Outcome? {
        self.unread.writeImmutableBuffer(bytes)
        do throws(HTTPFault) {
            while true {
                let before = self.unread.readableBytes
                guard let head = try self.parser.response(&self.unread) else { return nil }
                switch head.status {
                // An interim response; the final one follows (RFC 9110 §15.2).
                case 100...199:
                    self.readBytes += before - self.unread.readableBytes
                    self.parser = HeadParser(maximumBytes: self.maximumBytes - self.readBytes)
                case 200...299: return .connected(leftover: self.unread)
                default: return .refused(status: head.status)
                }
            }
        } catch {
            return .unreadable(error.kind == .headTooLarge ? .tooLong : .notHTTP)
        }
    }
}
