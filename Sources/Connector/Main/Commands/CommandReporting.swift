// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import ControlAPI
import Logging
import Program

extension AsyncParsableCommand {
    /// Runs the body of a command; a failure becomes one line on standard error and its exit code.
    ///
    /// - Parameters:
    ///   - format: Whether the line is for people or for a program.
    ///   - body: The command.
    func reportingFailures(as format: LogFormat? = nil, _ body: () async throws -> Void) async throws {
        var failure: CommandFailure
        do {
            return try await body()
        } catch let error as CommandFailure {
            failure = error
        } catch let error as EdgeFailure {
            let decision = ReconnectPolicy(retries: false).decide(afterCall: error)
            guard case .stop(let reported) = decision else { throw ExitCode(CommandStatus.unavailable.rawValue) }
            failure = reported
        } catch let code as ExitCode {
            throw code
        } catch {
            failure = CommandFailure(.bug, "Internal error: \(error). This is a bug in culvert; please report it.")
        }
        if failure.isUnknownKey,
            let source = EdgeAccess.sourceOfKey(
                arguments: Array(CommandLine.arguments.dropFirst()),
                environment: ProgramEnvironment.variables
            )
        {
            failure.message += " \(source)"
        }
        switch format ?? .text {
        case .text:
            let columns = TerminalDevice(.error).columns
            for line in failure.message.split(separator: "\n").map({ ShownText.stripped(String($0)) }) {
                StandardStream.error.write(line.hanging(from: "culvert: ", columns: columns) + "\n")
            }
        case .json:
            let event = StatusEvent.stopped(exitCode: failure.status.rawValue, message: failure.message)
            Logger(label: "culvert") { _ in StandardErrorLog(format: .json, level: .error) }.report(event)
        }
        throw ExitCode(failure.status.rawValue)
    }
}
