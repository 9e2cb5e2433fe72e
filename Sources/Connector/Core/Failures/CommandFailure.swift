// SPDX-License-Identifier: Apache-2.0

/// The exit codes of `culvert`, after `sysexits.h`, so that a supervisor can tell a wrong key from a lost network.
package enum CommandStatus: Int32, Sendable, CaseIterable {
    /// The program was asked to stop, or did what it was asked to do.
    case success = 0
    /// An internal error: a bug in culvert.
    case bug = 1
    /// The command line makes no sense.
    case usage = 64
    /// The edge can't be reached, or is not an edge.
    case unavailable = 69
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
        case .unavailable: "The edge can't be reached and --no-retry was given, or what answers is no edge."
        case .refused: "The edge refused the API key, the one-time code or the tunnel token."
        case .configuration: "A file, an environment variable or a value in one of them is wrong."
        }
    }
}

/// The end of a command: one sentence for a person and an exit code for a program.
package struct CommandFailure: Error, Equatable, CustomStringConvertible {
    package var status: CommandStatus
    /// A whole sentence, without a final newline and without secrets.
    package var message: String

    package init(_ status: CommandStatus, _ message: String) {
        self.status = status
        self.message = message
    }

    package var description: String { self.message }
}

extension CommandFailure {
    /// Says that the certificates by which an edge is trusted can't be used.
    ///
    /// - Parameters:
    ///   - file: The value of `--ca-file`.
    ///   - error: The error of the TLS library, for the message where no file was given.
    package static func certificates(_ file: String?, _ error: any Error) -> CommandFailure {
        guard let file else {
            return CommandFailure(.configuration, "The certificates to trust can't be used: \(error).")
        }
        return CommandFailure(
            .configuration,
            "The file \(file), which should hold certificates, can't be used: see whether it is there, in PEM, and "
                + "whether this user may read it."
        )
    }
}
