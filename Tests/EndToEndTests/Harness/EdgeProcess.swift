// SPDX-License-Identifier: Apache-2.0

import Foundation

/// `culvert-edge` as a process that can be killed and started again on the same ports with the same keys.
final class EdgeProcess {
    /// The key that the edge accepts and the connectors use.
    let apiKey = "key-of-the-end-to-end-tests-0123456789abcdef"
    let port: Int
    let adminPort: Int
    private let arguments: [String]
    private let environment: [String: String]
    private let scheme: String
    private let scratch: ScratchFolder
    private(set) var process: RunningProcess

    var url: String { "\(self.scheme)://127.0.0.1:\(self.port)" }

    /// Starts an edge and waits until it is ready.
    ///
    /// - Parameters:
    ///   - arguments: Its flags beside those that say where it listens.
    ///   - scheme: How it is spoken to.
    ///   - port: Where it listens, if its arguments say that, too.
    ///   - environment: Its variables beside that of its key.
    init(
        in scratch: ScratchFolder,
        arguments: [String] = ["--dev"],
        scheme: String = "http",
        port: Int? = nil,
        environment: [String: String] = [:]
    ) async throws {
        self.environment = environment
        self.port = try port ?? FreePort.next()
        self.adminPort = try FreePort.next()
        self.arguments = arguments
        self.scheme = scheme
        self.scratch = scratch
        self.process = try Self.launch(
            port: self.port,
            adminPort: self.adminPort,
            apiKey: self.apiKey,
            arguments: arguments,
            environment: environment,
            in: scratch
        )
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
            arguments: self.arguments,
            environment: self.environment,
            in: self.scratch
        )
        try await self.waitUntilReady()
    }

    /// Starts an edge without waiting for it.
    static func launch(
        port: Int,
        adminPort: Int,
        apiKey: String,
        arguments: [String] = ["--dev"],
        environment: [String: String] = [:],
        in scratch: ScratchFolder
    ) throws -> RunningProcess {
        try RunningProcess(
            Programs.product("culvert-edge"),
            arguments + ["--listen", "127.0.0.1:\(port)", "--admin-listen", "127.0.0.1:\(adminPort)"],
            environment: ["CULVERT_AUTH_API_KEY": apiKey].merging(environment) { _, new in new },
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
