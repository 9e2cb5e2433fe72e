// SPDX-License-Identifier: Apache-2.0

/// Something the tests need did not happen.
struct HarnessFailure: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Asks again and again until there is an answer.
///
/// - Parameters:
///   - what: What is waited for, for the message when it does not come.
///   - limit: How long to ask.
///   - answer: The question; nil means not yet.
/// - Throws: ``HarnessFailure`` when the time is over.
func eventually<Answer>(
    _ what: String,
    within limit: Duration = .seconds(20),
    _ answer: () async throws -> Answer?
)
    async throws -> Answer
{
    let deadline = ContinuousClock.now + limit
    while true {
        if let answer = try await answer() {
            return answer
        }
        if ContinuousClock.now >= deadline {
            throw HarnessFailure("waited \(limit) in vain: \(what)")
        }
        try await Task.sleep(for: .milliseconds(20))
    }
}
