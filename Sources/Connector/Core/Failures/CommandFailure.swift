// SPDX-License-Identifier: Apache-2.0

import Program

/// The end of a command: one sentence for a person and an exit code for a program.
package struct CommandFailure: Error, Equatable, CustomStringConvertible {
    package var status: CommandStatus
    /// A whole sentence, without a final newline and without secrets.
    package var message: String
    /// Whether the same command can succeed with a one-time code, which it was not given.
    package var wantsOneTimeCode: Bool
    /// Whether the edge does not know the API key: where that came from is of use to a person.
    package var isUnknownKey: Bool

    package init(
        _ status: CommandStatus,
        _ message: String,
        wantsOneTimeCode: Bool = false,
        isUnknownKey: Bool = false
    ) {
        self.status = status
        self.message = message
        self.wantsOneTimeCode = wantsOneTimeCode
        self.isUnknownKey = isUnknownKey
    }

    package var description: String { self.message }
}

extension CommandFailure {
    /// Says that the certificates by which an edge is trusted can't be used.
    ///
    /// - Parameters:
    ///   - file: The value of `--ca-file`.
    ///   - variable: The value of `SSL_CERT_FILE`, which counts where no flag names a file.
    ///   - error: The error of the TLS library, for the message where no file was given.
    package static func certificates(
        _ file: String?,
        ofEnvironment variable: String? = nil,
        _ error: any Error
    ) -> CommandFailure {
        guard let path = file ?? variable else {
            return CommandFailure(.configuration, "The certificates to trust can't be used: \(error).")
        }
        let reason = FileFault.of(path) == nil ? "it holds none in PEM" : FileFault.words(path)
        return CommandFailure(
            .configuration,
            file == nil
                ? "SSL_CERT_FILE names \(path), which should hold the certificates to trust, and can't be used: \(reason)."
                : "The file \(path), which should hold certificates, can't be used: \(reason)."
        )
    }
}
