// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// The exit codes of the program, from sysexits(3), beside 0.
enum EdgeExitCode: Int32, CaseIterable {
    /// The command line is wrong.
    case usage = 64
    /// A listening address can't be had.
    case unavailable = 69
    /// The configuration or a credential file is wrong.
    case configuration = 78

    /// What the code tells, for the manual.
    var meaning: String {
        switch self {
        case .usage: "The command line is wrong."
        case .unavailable: "An address to listen at can't be had, or an edge that was asked is not well."
        case .configuration: "The configuration or a credential file is wrong."
        }
    }
}

/// Ends the program with a sentence on standard error.
enum CommandFailure {
    /// Writes the sentence.
    ///
    /// - Returns: The error to throw, which makes the argument parser exit with the code.
    static func exit(_ code: EdgeExitCode, _ sentence: String) -> ExitCode {
        LogSink.standardError.write("culvert-edge: \(sentence)\n")
        return ExitCode(code.rawValue)
    }
}
