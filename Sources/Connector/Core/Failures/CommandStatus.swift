// SPDX-License-Identifier: Apache-2.0

/// The exit codes of `culvert`, after `sysexits.h`, so that a supervisor can tell a wrong key from a lost network.
package enum CommandStatus: Int32, Sendable, CaseIterable {
    /// The program was asked to stop, or did what it was asked to do.
    case success = 0
    /// An internal error: a bug in culvert.
    case bug = 1
    /// The command line makes no sense.
    case usage = 64
    /// What was named does not exist.
    case missing = 66
    /// The edge can't be reached, or is not an edge.
    case unavailable = 69
    /// What was asked for can't be made.
    case conflict = 73
    /// The edge refused the API key, the one-time code or the tunnel token, or a proxy its user name and password.
    case refused = 77
    /// A file, an environment variable or a value in one of them is wrong.
    case configuration = 78

    /// What the code means, for the manual.
    package var meaning: String {
        switch self {
        case .success: "The program was asked to stop, or did what it was asked to do."
        case .bug: "Internal error: a bug in culvert."
        case .usage: "The command line makes no sense."
        case .missing: "The tunnel that was named does not exist, or belongs to another API key."
        case .unavailable: "The edge can't be reached and --no-retry was given, or what answers is no edge."
        case .conflict: "The tunnel can't be made: its name is taken or reserved, or the API key has too many."
        case .refused: "The edge refused the API key, the one-time code or the tunnel token."
        case .configuration: "A file, an environment variable or a value in one of them is wrong."
        }
    }
}
