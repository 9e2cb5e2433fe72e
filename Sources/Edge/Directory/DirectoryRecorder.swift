// SPDX-License-Identifier: Apache-2.0

/// What the directory is asked for, in metrics.
package enum DirectoryOperation: String, CaseIterable, Sendable {
    case create
    case join
    case leave
    case change
    case find
    case list
    case cut
    case remove
    case forget
    case beat
    case reap
    case code
    case take
    case ports
}

/// Counts what the directory does.
package protocol DirectoryRecorder: Sendable {
    /// It answered.
    func directoryAnswered(_ operation: DirectoryOperation, seconds: Double)
    /// It did not.
    func directoryFailed(_ operation: DirectoryOperation)
}
