// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation

extension AsyncParsableCommand {
    /// Runs the body of a command; a failure becomes one line on standard error and its exit code.
    func reportingFailures(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let failure as CommandFailure {
            StandardStream.error.write("culvert: \(failure.message)\n")
            throw ExitCode(failure.status.rawValue)
        } catch let failure as EdgeFailure {
            let decision = ReconnectPolicy(retries: false).decide(afterCall: failure)
            guard case .stop(let failure) = decision else { throw ExitCode(CommandStatus.unavailable.rawValue) }
            StandardStream.error.write("culvert: \(failure.message)\n")
            throw ExitCode(failure.status.rawValue)
        }
    }
}
