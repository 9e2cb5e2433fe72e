// SPDX-License-Identifier: Apache-2.0
#if Redis

/// Why a command has no answer.
package enum RedisError: Error, Equatable, CustomStringConvertible {
    /// It was not sent: there is no connection, and why.
    case notConnected(String)
    /// It may have been done: the connection broke before its answer.
    case lost(String)
    /// It may have been done: the server did not answer in time.
    case timedOut
    /// It was not sent: too many commands wait for their answers.
    case busy
    /// The server refused it.
    case refused(String)

    package var description: String {
        switch self {
        case .notConnected(let why): "not connected to Redis: \(why)"
        case .lost(let why): "the connection to Redis was lost: \(why)"
        case .timedOut: "Redis did not answer in time"
        case .busy: "too many commands wait for Redis"
        case .refused(let why): "Redis refused a command: \(why)"
        }
    }
}

#endif
