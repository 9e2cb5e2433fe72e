// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization

/// Counts what all sessions of the process buffer, and says how short memory is (docs/protocol.md §B.7.2).
///
/// Thread-safe; sessions report once a batch, not once a frame.
public final class MemoryGovernor: Sendable {
    /// What all sessions together may buffer, in bytes.
    public let budget: Int
    private let buffered = Atomic<Int>(0)
    private let sessions = Atomic<Int>(0)

    /// Makes a governor.
    ///
    /// - Parameter budget: What all sessions together may buffer, in bytes.
    public init(budget: Int = MemoryGovernor.defaultBudget) {
        self.budget = budget
    }

    /// A quarter of the memory that the process may use, at most 1 GiB; in bytes.
    public static let defaultBudget = MemoryGovernor.budget(
        machine: ProcessInfo.processInfo.physicalMemory,
        group: try? String(contentsOfFile: "/sys/fs/cgroup/memory.max", encoding: .utf8)
    )

    /// - Parameters:
    ///   - machine: The memory of the machine, in bytes.
    ///   - group: What the control group of a container says of its limit: a number of bytes, or `max`.
    static func budget(machine: UInt64, group: String?) -> Int {
        let limit = group.flatMap { UInt64($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
        return Int(min(min(machine, limit ?? machine) / 4, 1 << 30))
    }

    /// What all sessions buffer now, in bytes.
    public var bufferedBytes: Int { self.buffered.load(ordering: .relaxed) }

    /// How short memory is.
    public var level: MemoryLevel {
        let buffered = self.bufferedBytes
        if buffered > self.budget / 5 * 4 { return .critical }
        if buffered >= self.budget / 2 { return .pressure }
        return .normal
    }

    /// What one session may buffer while memory is critical, in bytes.
    var fairShare: Int { self.budget / max(1, self.sessions.load(ordering: .relaxed)) }

    func sessionStarted() {
        self.sessions.wrappingAdd(1, ordering: .relaxed)
    }

    func sessionEnded() {
        self.sessions.wrappingSubtract(1, ordering: .relaxed)
    }

    func change(by bytes: Int) {
        self.buffered.wrappingAdd(bytes, ordering: .relaxed)
    }
}
