// SPDX-License-Identifier: Apache-2.0

import Foundation

/// `culvert-edge --dev` as a process that can be killed and started again on the same ports with the same keys.
final class EdgeProcess {
    /// The key that the edge accepts and the connectors use.
    let apiKey = "key-of-the-end-to-end-tests-0123456789abcdef"
    let port: Int
    let adminPort: Int
    private let scratch: ScratchFolder
    private(set) var process: RunningProcess

    var url: String { "http://127.0.0.1:\(self.port)" }

    init(in scratch: ScratchFolder) async throws {
        self.port = try FreePort.next()
        self.adminPort = try FreePort.next()
        self.scratch = scratch
        self.process = try Self.launch(port: self.port, adminPort: self.adminPort, apiKey: self.apiKey, in: scratch)
        try await self.waitUntilReady()
    }

    /// Kills the edge as a crash would.
    func crash() async throws {
        self.process.send(signal: SIGKILL)
        _ = try await self.process.end()
    }

    /// Starts the edge again after ``crash()``.
    func restart() async throws {
        self.process = try Self.launch(
            port: self.port,
            adminPort: self.adminPort,
            apiKey: self.apiKey,
            in: self.scratch
        )
        try await self.waitUntilReady()
    }

    /// Starts an edge without waiting for it.
    static func launch(port: Int, adminPort: Int, apiKey: String, in scratch: ScratchFolder) throws -> RunningProcess {
        try RunningProcess(
            Programs.product("culvert-edge"),
            ["--dev", "--listen", "127.0.0.1:\(port)", "--admin-listen", "127.0.0.1:\(adminPort)"],
            environment: ["CULVERT_AUTH_API_KEY": apiKey],
            in: scratch
        )
    }

    private func waitUntilReady() async throws {
        try await eventually("the edge on port \(self.port)") {
            guard self.process.isRunning else { throw HarnessFailure("the edge has ended\n\(self.process.transcript)") }
            let health = "http://127.0.0.1:\(self.adminPort)/healthz"
            return try await Curl.get(health, in: self.scratch).status == 200 ? () : nil
        }
    }
}
