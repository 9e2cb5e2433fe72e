// SPDX-License-Identifier: Apache-2.0

/// How the connection between a stream and the local server ended.
package enum PipeEnding: Equatable, Sendable {
    /// The edge reset the stream.
    case streamFailed
    /// The connection to the edge was lost.
    case sessionLost
    /// The stream was closed in order.
    case streamClosed
    /// The local connection was reset, or failed.
    case localFailed
    /// The local server closed its connection in order.
    case localClosed

    /// Whether no error ended it.
    package var isClean: Bool {
        switch self {
        case .streamClosed, .localClosed: true
        case .streamFailed, .sessionLost, .localFailed: false
        }
    }

    /// What that means for an exchange that was not over, in a sentence.
    package func reason(hasStatus: Bool) -> String {
        let when = hasStatus ? "before the response was complete" : "before there was a response"
        switch self {
        case .streamFailed: return "The visitor or the edge gave up \(when)."
        case .sessionLost: return "The connection to the edge was lost \(when)."
        case .streamClosed: return "The stream from the edge ended \(when)."
        case .localFailed: return "The connection to the local server broke \(when)."
        case .localClosed: return "The local server closed the connection \(when)."
        }
    }
}
