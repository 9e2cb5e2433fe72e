// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Protocol

/// What to do after a session could not be opened or has ended.
package enum ReconnectDecision: Equatable, Sendable {
    /// Try again after the back-off, and not before `minimum`.
    case retry(minimum: Duration, reason: String)
    /// Another connector has replaced the connection; don't open it again.
    case yield
    /// No further attempt can succeed.
    case stop(CommandFailure)
}

/// Decides whether to dial again after a failure or the end of a session (docs/protocol.md §B.2, §B.10), without a
/// clock or a socket.
package struct ReconnectPolicy: Sendable {
    /// Whether to try again at all; `--no-retry` switches it off.
    var retries: Bool
    /// Whether a session has ever been active.
    ///
    /// If the first server that is ever reached is no edge, or has a wrong certificate, a setting is wrong. After a
    /// session was active, a proxy has lost its edge for a moment, or a certificate is about to be renewed.
    var hasBeenActive: Bool

    /// Makes the rules for what has not been tried yet.
    package init(retries: Bool = true) {
        self.init(retries: retries, hasBeenActive: false)
    }

    /// - Parameters:
    ///   - retries: Whether to try again at all.
    ///   - hasBeenActive: Whether a session has ever been active.
    init(retries: Bool = true, hasBeenActive: Bool) {
        self.retries = retries
        self.hasBeenActive = hasBeenActive
    }

    /// The longest `Retry-After` that is honoured: no server can keep a connector away for a day.
    static let longestRetryAfter = Duration.seconds(300)

    /// The longest wait that a draining edge is granted, before the random part: ours asks for a tenth of a second, and
    /// visitors wait meanwhile.
    static let longestDrainWait = Duration.seconds(5)

    /// How long to wait before the session that takes the place of one that the edge drains.
    ///
    /// - Parameters:
    ///   - asked: What the edge asks for.
    ///   - draw: A uniform random number from 0 to 1: it keeps the connectors of an edge that leaves from reaching the
    ///     next one in the same instant.
    static func drainWait(asked: Duration, draw: Double) -> Duration {
        let least = min(max(asked, .zero), self.longestDrainWait)
        return least + least * min(max(draw, 0), 1)
    }

    /// Decides after a failed attempt.
    func decide(after failure: EdgeFailure) -> ReconnectDecision {
        switch failure {
        case .refused(let status, let retryAfter, let problem):
            switch status {
            case 401 where problem?.code == EdgeFailure.sessionEnded:
                // The address of an edge's dashboard: it knows no keys.
                return self.firstContact(failure)
            case 401, 403:
                let wantsCode = problem?.code == "otp_required"
                return .stop(
                    CommandFailure(
                        .refused,
                        failure.description,
                        wantsOneTimeCode: wantsCode,
                        isUnknownKey: failure.isUnknownKey
                    )
                )
            case 404 where problem != nil:
                // A 404 without a problem document of ours comes from a proxy that has no edge behind it for now.
                return .stop(CommandFailure(.refused, failure.description))
            case 429, 503:
                return self.retry(minimum: min(retryAfter ?? .zero, Self.longestRetryAfter), failure.description)
            case 501, 505...511:
                return self.firstContact(failure)
            case 500...599, 409, 408:
                return self.retry(failure.description)
            default:
                return self.firstContact(failure)
            }
        case .notAnEdge, .tunnelAddress, .untrusted, .otherScheme:
            return self.firstContact(failure)
        case .unresolved, .unreachable, .timedOut, .tls:
            return self.retry(failure.description)
        case .proxy(_, _, let cause):
            return self.decide(after: cause, failure)
        }
    }

    private func decide(after cause: ProxyFailure, _ failure: EdgeFailure) -> ReconnectDecision {
        switch cause {
        case .unresolved, .unreachable, .timedOut:
            return self.retry(failure.description)
        case .refused(let status?) where ProxyFailure.isTemporary(status):
            return self.retry(failure.description)
        case .refused, .notAProxy:
            return self.firstContact(failure)
        case .authentication:
            // A proxy that accepted the credentials before may have lost its directory for a moment.
            guard self.hasBeenActive else { return .stop(CommandFailure(.refused, failure.description)) }
            return self.retry(failure.description)
        }
    }

    /// Decides after a failed call of the control API.
    package func decide(afterCall failure: EdgeFailure) -> ReconnectDecision {
        guard case .refused(let status, _, .some) = failure, (400...499).contains(status),
            ![401, 403, 408, 429].contains(status)
        else { return self.decide(after: failure) }
        // The edge understood the call and refused it: the same call can't succeed later.
        let end: CommandStatus =
            switch status {
            case 404: .missing
            case 409: .conflict
            default: .usage
            }
        return .stop(CommandFailure(end, failure.description))
    }

    /// Decides after a session that was open has ended.
    ///
    /// - Parameters:
    ///   - code: The code of its end.
    ///   - reason: The explanation that came with it, or an empty text.
    func decide(afterEnd code: ErrorCode, reason: String) -> ReconnectDecision {
        switch code {
        case .authExpired, .unsupported: .stop(Self.failure(ending: code, reason: reason))
        case .replaced: .yield
        default: self.retry(Self.sentence(ending: code, reason: reason))
        }
    }

    /// With what a command fails that won't open another session.
    ///
    /// - Parameters:
    ///   - code: The code of the session's end.
    ///   - reason: The explanation that came with it, or an empty text.
    package static func failure(ending code: ErrorCode, reason: String) -> CommandFailure {
        switch code {
        case .authExpired:
            CommandFailure(.refused, "The tunnel was deleted, or its token has expired or was revoked.")
        case .unsupported:
            CommandFailure(.unavailable, "The edge speaks another version of the protocol; update one of the two.")
        default:
            CommandFailure(.unavailable, Self.sentence(ending: code, reason: reason))
        }
    }

    /// Why a session ended, in words; the protocol's code stands behind them, for whoever looks it up.
    package static func sentence(ending code: ErrorCode, reason: String) -> String {
        let words =
            switch code {
            case .sessionLost: "The connection to the edge was lost"
            case .keepaliveTimeout: "Nothing came over the connection to the edge for too long"
            case .helloTimeout: "The session with the edge did not begin in time"
            case .noError, .shutdown: "The edge has ended the session"
            case .authExpired: "The tunnel was deleted, or its token has ended"
            case .replaced: "Another connector has taken the place of this one"
            case .memoryPressure: "There was too little memory for the session"
            case .enhanceCalm: "The session asked too much of the edge"
            default: "The session ended"
            }
        let reason = PeerText.printable(reason)
        return "\(words): \(code)\(reason.isEmpty ? "" : " (\(reason))")."
    }

    private func firstContact(_ failure: EdgeFailure) -> ReconnectDecision {
        guard self.hasBeenActive else {
            var message = failure.description
            if case .refused(let status, _, nil) = failure {
                message = "What answers at this address is not a Culvert edge (HTTP \(status))."
            }
            return .stop(CommandFailure(.unavailable, message))
        }
        return self.retry(failure.description)
    }

    private func retry(minimum: Duration = .zero, _ reason: String) -> ReconnectDecision {
        guard self.retries else { return .stop(CommandFailure(.unavailable, reason)) }
        return .retry(minimum: minimum, reason: reason)
    }
}
