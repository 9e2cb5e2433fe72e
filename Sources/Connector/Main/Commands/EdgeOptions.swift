// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import Foundation
import Logging
import NIOCore
import NIOPosix
import Program

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The options of every command that talks to an edge.
struct EdgeOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The edge to use (CULVERT_EDGE), else that of culvert login.", valueName: "url"))
    var edge: String?

    @Option(
        name: .customLong("ca-file"),
        help: ArgumentHelp(
            "Trust the edge by these PEM certificates only; culvert login remembers them.",
            valueName: "file"
        ),
        completion: .file()
    )
    var certificateAuthorityFile: String?

    @Flag(name: .customLong("no-retry"), help: "Give up with exit code 69 instead of trying again.")
    var noRetry = false

    @Option(name: .customLong("log-format"), help: ArgumentHelp("How to write log lines.", valueName: "format"))
    var logFormat: LogFormat?

    @Option(name: .customLong("log-level"), help: ArgumentHelp("What to log, from which level on.", valueName: "level"))
    var logLevel: LogThreshold = .info

    /// By which certificates edges are trusted: those of `--ca-file`, else for the edge of `culvert login` those that it
    /// was given.
    func authorities(environment: [String: String] = ProgramEnvironment.variables) -> EdgeAuthorities {
        if let certificateAuthorityFile { return EdgeAuthorities(all: certificateAuthorityFile) }
        // A login file that can't be used is a failure of whoever needs its key.
        guard let path = LoginFile.path(environment: environment), let login = try? LoginFile.read(at: path),
            let file = login.certificateAuthorityFile, let edge = try? EdgeAddress(parsing: login.edge)
        else { return EdgeAuthorities(all: nil) }
        return EdgeAuthorities(edge: edge, file: file)
    }

    /// Makes the logger of the command.
    func makeLogger() -> Logger {
        let format = self.logFormat ?? .text
        let level = self.logLevel.level
        return Logger(label: "culvert") { _ in StandardErrorLog(format: format, level: level) }
    }
}

/// From where on log lines are written.
enum LogThreshold: String, CaseIterable, ExpressibleByArgument {
    case debug
    case info
    case warning
    case error

    /// Takes `warn`, too: log lines and other programs spell it so.
    init?(argument: String) { self.init(rawValue: argument == "warn" ? "warning" : argument) }

    /// The level of the log API.
    var level: Logger.Level {
        switch self {
        case .debug: .debug
        case .info: .info
        case .warning: .warning
        case .error: .error
        }
    }
}

/// The options of every command that calls the control API.
struct CredentialOptions: ParsableArguments {
    @Option(
        name: .customLong("api-key-file"),
        help: ArgumentHelp("A file with the API key, - for standard input (CULVERT_API_KEY).", valueName: "file"),
        completion: .file()
    )
    var apiKeyFile: String?

    @Option(help: ArgumentHelp("The one-time code, if the key needs one.", valueName: "code"))
    var otp: String?

    /// Runs what needs the edge and the key; where the key turns out to need a one-time code, a person at a terminal is
    /// asked for one, and it runs again.
    ///
    /// - Throws: ``CommandFailure``, or what the body throws.
    func access<Result>(
        _ options: EdgeOptions,
        _ body: (CredentialOptions) async throws -> Result
    ) async throws -> Result {
        do {
            return try await body(self)
        } catch let failure as CommandFailure where failure.wantsOneTimeCode {
            guard self.canAsk(options) else { throw failure }
        } catch let failure as EdgeFailure {
            guard case .stop(let end) = ReconnectPolicy(retries: false).decide(afterCall: failure),
                end.wantsOneTimeCode, self.canAsk(options)
            else { throw failure }
        }
        guard case .typed(let code) = HiddenLine.ask("One-time code: ") else { throw ExitCode(128 + SIGINT) }
        var asked = self
        asked.otp = code.trimmingCharacters(in: .whitespaces)
        return try await body(asked)
    }

    /// Whether a person reads and types, and gave no code.
    private func canAsk(_ options: EdgeOptions) -> Bool {
        self.otp == nil && options.logFormat != .json && isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1
    }

    /// Finds the edge and the key.
    func resolve(_ options: EdgeOptions) throws(CommandFailure) -> EdgeAccess {
        try EdgeAccess.resolve(
            edge: options.edge,
            apiKeyFile: self.apiKeyFile,
            oneTimeCode: self.otp,
            environment: ProgramEnvironment.variables
        )
    }
}
