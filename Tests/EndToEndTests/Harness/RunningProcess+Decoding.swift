// SPDX-License-Identifier: Apache-2.0

import Foundation

extension RunningProcess {
    /// Starts a Python program of this test target.
    static func peer(_ name: String, _ arguments: [String], in scratch: ScratchFolder) throws -> RunningProcess {
        try RunningProcess(Programs.python, [Programs.peer(name)] + arguments, in: scratch)
    }

    /// Starts a Python program that runs edges and connectors of its own, in a folder that it finds empty.
    ///
    /// - Parameters:
    ///   - name: The program.
    ///   - mode: What it is to do.
    ///   - numbers: How much of it.
    ///   - environment: Its variables; none that it would pass on to an edge.
    ///   - scratch: Has the folder.
    static func peer(
        _ name: String,
        mode: String,
        _ numbers: [Int],
        environment: [String: String] = [:],
        in scratch: ScratchFolder
    ) throws -> RunningProcess {
        let folder = try scratch.folder(mode)
        let programs = [try Programs.product("culvert-edge"), try Programs.product("culvert")]
        return try RunningProcess(
            Programs.python,
            ["-B", Programs.peer(name), mode] + programs + [folder.path] + numbers.map(String.init),
            environment: environment,
            in: scratch
        )
    }

    /// Waits for the program to exit with 0, and reads the JSON it printed.
    func decodedOutput<Value: Decodable>(_ type: Value.Type, within limit: Duration) async throws -> Value {
        let output = try await self.successfulOutput(within: limit)
        return try JSONDecoder().decode(type, from: Data(output.utf8))
    }
}
