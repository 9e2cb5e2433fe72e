// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Synchronization

/// Lookups that are under way: who asks for the same tunnel meanwhile gets the same answer, so that a crowd at an id that
/// nobody here knows costs the directory one question.
final class SharedLookups<Answer: Sendable>: Sendable {
    /// The most ids that are shared; who asks for another one asks alone.
    private let bound: Int
    private let underWay = Mutex<[TunnelID: Task<Answer, any Error>]>([:])

    /// - Parameter bound: The most ids that are shared.
    init(bound: Int = 1_024) {
        self.bound = bound
    }

    /// How many are under way.
    var count: Int { self.underWay.withLock { $0.count } }

    /// Asks, or waits for who asks already; what is asked once goes on although the first one has left.
    func answer(of id: TunnelID, _ ask: @escaping @Sendable () async throws -> Answer) async throws -> Answer {
        let task = self.underWay.withLock { tasks -> Task<Answer, any Error>? in
            if let task = tasks[id] { return task }
            guard tasks.count < self.bound else { return nil }
            let task = Task {
                defer { self.underWay.withLock { $0[id] = nil } }
                return try await ask()
            }
            tasks[id] = task
            return task
        }
        guard let task else { return try await ask() }
        return try await task.value
    }
}
