// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation

/// This machine's clock beside that of the edge.
struct ClockComparison: Equatable, Sendable {
    /// How far this machine's clock is ahead, in seconds; negative if it is behind, and 0 if the way and the missing
    /// fraction may explain the difference.
    var ahead: Double

    /// How far apart the clocks may be, in seconds: one-time codes of the step before are accepted, and no others.
    static let tolerance: Double = 30

    /// Compares the clocks.
    ///
    /// - Parameters:
    ///   - edge: What the edge said, without the fraction of the second.
    ///   - asked: When it was asked, by this machine's clock.
    ///   - answered: When its answer was here.
    init(edge: Date, asked: Date, answered: Date) {
        let half = answered.timeIntervalSince(asked) / 2
        // An edge may take a second that it looked up a second ago.
        let difference = asked.addingTimeInterval(half).timeIntervalSince(edge.addingTimeInterval(1))
        self.ahead = abs(difference) <= half + 1 ? 0 : difference
    }

    /// The step of a diagnosis.
    ///
    /// - Parameter comparison: The comparison; `nil` if the edge did not say the time.
    static func step(_ comparison: ClockComparison?) -> DiagnosisStep {
        guard let comparison else {
            return DiagnosisStep(name: "clock", verdict: .skipped, finding: "the edge does not say the time")
        }
        let seconds = Int(abs(comparison.ahead).rounded())
        guard seconds > 0 else {
            return DiagnosisStep(name: "clock", verdict: .passed, finding: "that of the edge says the same")
        }
        let finding = "this machine's is \(words(seconds)) \(comparison.ahead > 0 ? "ahead of" : "behind") the edge's"
        guard abs(comparison.ahead) > Self.tolerance else {
            return DiagnosisStep(name: "clock", verdict: .passed, finding: finding)
        }
        return DiagnosisStep(
            name: "clock",
            verdict: .failed,
            finding: finding,
            advice: "Set the one that is wrong (timedatectl set-ntp true): one-time codes and certificates go by it.",
            status: .configuration
        )
    }

    private static func words(_ seconds: Int) -> String {
        switch seconds {
        case ..<120: "\(seconds) s"
        case ..<7200: "\(seconds / 60) min"
        case ..<172_800: "\(seconds / 3600) h"
        default: "\(seconds / 86400) days"
        }
    }
}
