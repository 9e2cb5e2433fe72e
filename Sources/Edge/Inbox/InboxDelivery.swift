// SPDX-License-Identifier: Apache-2.0

import ControlAPI

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What came of handing a message over.
package enum DeliveryOutcome: Equatable, Sendable {
    /// The app answered so; `retryAfter` in seconds, if it said when to come again.
    case answered(status: Int, retryAfter: Int? = nil)
    /// The app may have seen the message, but gave no answer: a code of docs/errors.md says why.
    case failed(code: String)
    /// The app has seen nothing: there is no connector, or it can't reach the app.
    case unreachable(code: String)
}

/// What becomes of a message after an attempt.
package struct DeliveryStep: Equatable, Sendable {
    package var state: InboxMessageState
    /// How often the app refused the message by now.
    package var attempts: Int
    /// When it is due again; the past for at once.
    package var due: Date
    package var status: Int?
    package var error: String?

    /// Describes a step.
    package init(state: InboxMessageState, attempts: Int, due: Date, status: Int? = nil, error: String? = nil) {
        self.state = state
        self.attempts = attempts
        self.due = due
        self.status = status
        self.error = error
    }
}

/// Decides what becomes of messages, without I/O.
///
/// | outcome | attempts left | then |
/// |---|---|---|
/// | 2xx | | delivered |
/// | 410 | | dead at once |
/// | any other answer, time-out, broken connection | yes | waiting, due after the back-off or `Retry-After` |
/// | the same | no | dead |
/// | unreachable | | waiting: it was no attempt |
package struct InboxDelivery: Sendable {
    private let delivery: InboxSettings.Delivery
    private let waiting: TimeInterval

    /// After how many seconds a message that was refused so often is due again; the last one stands for all that follow.
    package static let backOff: [TimeInterval] = [5, 30, 120, 600, 1_800, 3_600, 7_200]
    /// The longest wait that an app can ask for, in seconds.
    package static let longestRetryAfter = 3_600
    /// How long a message waits whose app can't be reached through a connector that is there, in seconds.
    package static let unreachablePauses: [TimeInterval] = [0.5, 1, 2, 5, 10, 15]

    /// Makes the rules of settings.
    package init(_ settings: InboxSettings) {
        self.delivery = settings.delivery
        self.waiting = TimeInterval(settings.keep.waitingHours) * 3_600
    }

    /// Decides.
    ///
    /// - Parameters:
    ///   - outcome: What came of the attempt.
    ///   - attempts: How often the app had refused the message before.
    ///   - now: The time.
    ///   - spread: From -1 to 1: where in the spread of ±20 % a back-off lies.
    package func step(after outcome: DeliveryOutcome, attempts: Int, now: Date, spread: Double) -> DeliveryStep {
        switch outcome {
        case .answered(let status, _) where (200...299).contains(status):
            return DeliveryStep(state: .delivered, attempts: attempts, due: now, status: status)
        case .answered(410, _):
            return DeliveryStep(state: .dead, attempts: attempts + 1, due: now, status: 410)
        case .answered(let status, let retryAfter):
            return self.refused(attempts + 1, retryAfter, now, spread, status: status, error: nil)
        case .failed(let code):
            return self.refused(attempts + 1, nil, now, spread, status: nil, error: code)
        case .unreachable(let code):
            return DeliveryStep(state: .waiting, attempts: attempts, due: now, error: code)
        }
    }

    private func refused(
        _ attempts: Int,
        _ retryAfter: Int?,
        _ now: Date,
        _ spread: Double,
        status: Int?,
        error: String?
    ) -> DeliveryStep {
        guard attempts < self.delivery.attempts else {
            return DeliveryStep(state: .dead, attempts: attempts, due: now, status: status, error: error)
        }
        let pause: TimeInterval
        if let retryAfter {
            pause = TimeInterval(min(max(0, retryAfter), Self.longestRetryAfter))
        } else {
            let base = Self.backOff[min(attempts - 1, Self.backOff.count - 1)]
            pause = base * (1 + 0.2 * min(1, max(-1, spread)))
        }
        return DeliveryStep(
            state: .waiting,
            attempts: attempts,
            due: now.addingTimeInterval(pause),
            status: status,
            error: error
        )
    }

    /// Whether a message that came then has waited too long.
    package func isExpired(receivedAt: Date, now: Date) -> Bool { now.timeIntervalSince(receivedAt) > self.waiting }
}
