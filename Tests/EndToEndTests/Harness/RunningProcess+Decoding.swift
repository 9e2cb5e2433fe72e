// SPDX-License-Identifier: Apache-2.0

import Foundation

extension RunningProcess {
    /// Starts a Python program of this test target.
    static func peer(_ name: String, _ arguments: [String], in scratch: ScratchFolder) throws -> RunningProcess {
        try RunningProcess(Programs.python, [Programs.peer(name)] + arguments, in: scratch)
    }

    /// Waits for the program to exit with 0, and reads the JSON it printed.
    func decodedOutput<Value: Decodable>(_ type: Value.Type, within limit: Duration) async throws -> Value {
        let output = try await self.successfulOutput(within: limit)
        return try JSONDecoder().decode(type, from: Data(output.utf8))
    }
}
