// SPDX-License-Identifier: Apache-2.0

/// How the connection between a stream and the local server ended.
enum PipeEnding: Equatable {
    /// The stream was reset, or its session was lost.
    case streamFailed
    /// The stream was closed in order.
    case streamClosed
    /// The local connection was reset, or failed.
    case localFailed
    /// The local server closed its connection in order.
    case localClosed

    /// Whether no error ended it.
    var isClean: Bool {
        switch self {
        case .streamClosed, .localClosed: true
        case .streamFailed, .localFailed: false
        }
    }

    /// What that means for an exchange that was not over, in a sentence.
    func reason(hasStatus: Bool) -> String {
        let when = hasStatus ? "before the response was complete" : "before there was a response"
        switch self {
        case .streamFailed: return "The visitor or the edge gave up \(when)."
        case .streamClosed: return "The stream from the edge ended \(when)."
        case .localFailed: return "The connection to the local server broke \(when)."
        case .localClosed: return "The local server closed the connection \(when)."
        }
    }
}
