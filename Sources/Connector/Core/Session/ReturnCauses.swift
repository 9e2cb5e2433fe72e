// SPDX-License-Identifier: Apache-2.0

/// Why a session does not get another connection, while it waits for one: attempts follow each other fast, and what all
/// of them say is told once.
struct ReturnCauses {
    private var told: Set<String> = []

    /// Takes the failure of an attempt.
    ///
    /// - Returns: What to tell; `nil` if it has been told, or is no failure to reach the edge.
    mutating func new(_ error: any Error) -> String? {
        guard let failure = error as? EdgeFailure, self.told.insert(failure.description).inserted else { return nil }
        return failure.description
    }
}
