// SPDX-License-Identifier: Apache-2.0
#if Redis

/// What a server's `INFO` says that matters to those who want it to remember.
struct RedisFacts: Equatable, Sendable {
    private let values: [Substring: Substring]

    /// Reads the answer to `INFO`.
    init(_ text: String) {
        var values: [Substring: Substring] = [:]
        for line in text.split(whereSeparator: \.isNewline) {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { values[parts[0]] = parts[1] }
        }
        self.values = values
    }

    /// The version of the server, as it says it.
    var version: String { String(self.values["redis_version"] ?? "of no number") }

    /// Whether it is 6.2 or newer.
    var isNewEnough: Bool {
        let numbers = self.version.split(separator: ".").prefix(2).map { Int($0) ?? 0 }
        guard numbers.count == 2 else { return false }
        return (numbers[0], numbers[1]) >= (6, 2)
    }

    /// Whether a replica follows it.
    var hasReplicas: Bool { self.values["connected_slaves"].map { $0 != "0" } ?? false }

    /// Why the server may forget what it was told.
    var warnings: [String] {
        var warnings: [String] = []
        if self.values["aof_enabled"] == "0" {
            warnings.append("Redis runs without appendonly: deletions and name leases may be lost when it restarts")
        }
        if let policy = self.values["maxmemory_policy"], policy != "noeviction", self.values["maxmemory"] != "0" {
            warnings.append("maxmemory-policy is \(policy): Redis may drop deletions; set noeviction")
        }
        return warnings
    }
}

#endif
