// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Why a connection could not be made or has ended, in words: libraries name their types and the calls that they made.
///
/// A handshake of TLS that failed is for who knows that library; its own text is passed on.
package enum TransportFault {
    /// The reason, as the middle of a sentence: `connection reset by peer`.
    package static func words(_ error: any Error) -> String {
        switch error {
        case let error as IOError: return error.systemReason
        case ChannelError.connectTimeout: return "no answer in time"
        case ChannelError.eof, ChannelError.ioOnClosedChannel, ChannelError.alreadyClosed, ChannelError.inputClosed,
            ChannelError.outputClosed:
            return self.closed
        default:
            let text = "\(error)"
            // The TLS library's word, which this module knows by name alone, for a connection that was closed without a
            // farewell of TLS, as one is whose other side was killed.
            return text == "uncleanShutdown" ? self.closed : text
        }
    }

    /// What is said where a connection ended and nobody told why.
    package static let closed = "the connection was closed"
}
