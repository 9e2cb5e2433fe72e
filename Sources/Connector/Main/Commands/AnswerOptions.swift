// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import Program

/// The options of a command that makes calls of the control API.
struct ControlOptions: ParsableArguments {
    @OptionGroup var edgeOptions: EdgeOptions
    @OptionGroup var credentialOptions: CredentialOptions

    /// How failures are written.
    var logFormat: LogFormat? { self.edgeOptions.logFormat }

    /// Makes a call with the edge and the key of the options, the environment or the login file.
    func perform<Answer: Sendable>(
        _ call: @Sendable (ControlClient) async throws(EdgeFailure) -> Answer
    ) async throws -> Answer {
        try await ControlCall(self.edgeOptions, self.credentialOptions).perform(call)
    }

    /// Makes a call that changes nothing, and leaves a one-time code to the one behind it.
    func read<Answer: Sendable>(
        _ call: @Sendable (ControlClient) async throws(EdgeFailure) -> Answer
    ) async throws -> Answer {
        var credentials = self.credentialOptions
        credentials.otp = nil
        return try await ControlCall(self.edgeOptions, credentials).perform(call)
    }

    /// Makes a call that changes something, and asks a person at a terminal for the one-time code that it turns out to
    /// need.
    func change<Answer: Sendable>(
        _ call: @Sendable (ControlClient) async throws(EdgeFailure) -> Answer
    ) async throws -> Answer {
        try await self.credentialOptions.access(self.edgeOptions) { credentials in
            try await ControlCall(self.edgeOptions, credentials).perform(call)
        }
    }
}

/// The options of a command that prints what the control API answers.
struct AnswerOptions: ParsableArguments {
    @Flag(help: "Print the JSON of the control API.")
    var json = false

    @OptionGroup var control: ControlOptions

    /// Prints an answer: as it came for programs, else as the text.
    func write(_ answer: some Encodable, as text: @autoclosure () -> String) throws {
        try StandardStream.output.writeLine(self.json ? JSONText.of(answer) : text())
    }
}

/// The tunnel that a command is about.
struct NamedTunnel: ParsableArguments {
    @Argument(help: "The tunnel's id or name.")
    var tunnel: String
}
