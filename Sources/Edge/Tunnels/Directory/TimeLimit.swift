// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Waits for answers no longer than is told.
enum TimeLimit {
    /// Whoever waits, until there is an answer or time is up.
    private final class Waiting<Answer: Sendable>: Sendable {
        private let continuation: Mutex<CheckedContinuation<Answer?, any Error>?>

        init(_ continuation: CheckedContinuation<Answer?, any Error>) {
            self.continuation = Mutex(continuation)
        }

        func end(with result: Result<Answer?, any Error>) {
            self.continuation.withLock { $0.take() }?.resume(with: result)
        }
    }

    /// Asks, and goes on without an answer when time is up; what was asked is done all the same, or not.
    ///
    /// - Parameters:
    ///   - limit: For how long to wait.
    ///   - ask: Answers.
    /// - Returns: `nil` if there was no answer in time.
    static func answer<Answer: Sendable>(
        within limit: Duration,
        _ ask: @escaping @Sendable () async throws -> Answer
    ) async throws -> Answer? {
        try await withCheckedThrowingContinuation { continuation in
            let waiting = Waiting(continuation)
            let timer = Task {
                try await Task.sleep(for: limit)
                waiting.end(with: .success(nil))
            }
            Task {
                do {
                    waiting.end(with: .success(try await ask()))
                } catch {
                    waiting.end(with: .failure(error))
                }
                timer.cancel()
            }
        }
    }
}
