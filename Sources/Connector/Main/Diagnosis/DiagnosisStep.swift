// SPDX-License-Identifier: Apache-2.0

import ConnectorCore

/// One step of serving a tunnel, and its result.
struct DiagnosisStep: Equatable, Sendable {
    /// The result of a step.
    enum Verdict: Equatable, Sendable {
        case passed
        case failed
        /// Not tried, because an earlier step failed or something needed for it was not given.
        case skipped
    }

    var name: String
    var verdict: Verdict
    /// What the step found.
    var finding: String
    /// What to do about it.
    var advice: String?
    /// How long the step took.
    var elapsed: Duration?
    /// The exit code that a failure of the step stands for.
    var status = CommandStatus.success
}

/// The outcome of all steps.
struct DiagnosisReport: Equatable, Sendable {
    var steps: [DiagnosisStep]

    /// The exit code: that of the first step that failed.
    var status: CommandStatus {
        self.steps.first { $0.verdict == .failed }?.status ?? .success
    }

    /// The report for programs: an object with the exit code and the steps.
    func json() throws -> String {
        struct Row: Encodable {
            var step: String
            var verdict: String
            var finding: String
            var advice: String?
            var milliseconds: Int?
        }
        struct Report: Encodable {
            var exitCode: Int32
            var steps: [Row]

            private enum CodingKeys: String, CodingKey {
                case exitCode = "exit_code"
                case steps
            }
        }
        let rows = self.steps.map { step in
            let verdict =
                switch step.verdict {
                case .passed: "passed"
                case .failed: "failed"
                case .skipped: "skipped"
                }
            return Row(
                step: step.name,
                verdict: verdict,
                finding: step.finding,
                advice: step.advice,
                milliseconds: step.elapsed?.wholeMilliseconds
            )
        }
        return try JSONText.of(Report(exitCode: self.status.rawValue, steps: rows))
    }

    /// The report for people: a line for each step, and one more for advice.
    ///
    /// - Parameter columns: How wide the window is; nothing for a program.
    func text(columns: Int?) -> String {
        let width = self.steps.map(\.name.count).max() ?? 0
        return self.steps.map { step in
            let mark =
                switch step.verdict {
                case .passed: "ok  "
                case .failed: "FAIL"
                case .skipped: "-   "
                }
            let name = step.name + String(repeating: " ", count: width - step.name.count)
            var finding = PeerText.printable(step.finding)
            if let elapsed = step.elapsed { finding += " (\(elapsed.inMilliseconds))" }
            var line = finding.hanging(from: "\(mark)  \(name)  ", columns: columns)
            if let advice = step.advice {
                let indent = String(repeating: " ", count: width + 8)
                line += "\n" + PeerText.printable(advice).hanging(from: indent, columns: columns)
            }
            return line
        }.joined(separator: "\n")
    }
}

extension Duration {
    /// The duration in whole milliseconds, as in `12 ms`.
    fileprivate var inMilliseconds: String { "\(self.wholeMilliseconds) ms" }

    fileprivate var wholeMilliseconds: Int {
        let components = self.components
        return Int(components.seconds) * 1_000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }
}
