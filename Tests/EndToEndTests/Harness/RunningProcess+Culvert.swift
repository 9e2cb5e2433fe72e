// SPDX-License-Identifier: Apache-2.0

extension RunningProcess {
    /// Runs a command of the connector that ends by itself.
    static func culvert(
        _ arguments: [String],
        _ environment: [String: String] = [:],
        in scratch: ScratchFolder
    ) async throws -> (end: ChildProcess.End, output: String, error: String) {
        let process = try RunningProcess(
            Programs.product("culvert"),
            arguments,
            environment: environment,
            in: scratch
        )
        let end = try await process.end()
        return (end, process.standardOutput, process.standardError)
    }

    /// Waits until the process has said something on its standard error.
    func hasSaid(_ text: String) async throws {
        do {
            try await eventually("\(text) of \(self.name)", within: .seconds(20)) {
                self.standardError.contains(text) ? () : nil
            }
        } catch let failure as HarnessFailure {
            throw HarnessFailure("\(failure), which said: \(self.standardError.suffix(2_000))")
        }
    }
}
