// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Program
import Protocol
import ServiceLifecycle
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

/// A whole edge in this process, set by texts as an operator sets it, on ports that the system chooses.
struct EdgeUnderTest: Sendable {
    /// The API key that every call uses unless it names another one.
    static let apiKey = "cvk_of-the-tables-of-settings-codes-and-metrics"

    let addresses: EdgeAddresses
    let configuration: EdgeConfiguration
    private let stopping: @Sendable () async -> Void

    /// What the environment says unless a test's flags, which outrank it, say otherwise: an edge for development that
    /// stops at once.
    private static let environment = [
        "CULVERT_DEV": "true", "CULVERT_LISTEN": "127.0.0.1:0", "CULVERT_ADMIN_LISTEN": "127.0.0.1:0",
        "CULVERT_AUTH_API_KEY": EdgeUnderTest.apiKey, "CULVERT_SHUTDOWN_GRACE": "0s",
        "CULVERT_TUNNEL_RECONNECT_HOLD": "0s",
    ]

    /// Reads settings as `culvert-edge` does.
    ///
    /// - Parameter without: Variables of ``environment`` that are not set.
    static func read(
        _ arguments: [String],
        environment: [String: String] = [:],
        without: Set<String> = []
    ) -> (configuration: EdgeConfiguration, credentials: CredentialSet, problems: [String]) {
        let base = Self.environment.filter { !without.contains($0.key) }
        var reader = SettingsReader(
            arguments: arguments,
            environment: base.merging(environment) { _, new in new },
            file: nil
        )
        let configuration = EdgeConfiguration(from: &reader)
        let credentials = CredentialFiles.check(configuration, isReload: false, &reader)
        return (configuration, credentials, reader.problems.map(\.description))
    }

    /// Starts an edge, has a test use it, and stops it.
    static func run(
        _ arguments: [String] = [],
        environment: [String: String] = [:],
        without: Set<String> = [],
        _ body: (EdgeUnderTest) async throws -> Void
    ) async throws {
        let read = Self.read(arguments, environment: environment, without: without)
        try #require(read.problems == [])
        let credentials =
            read.configuration.isDevelopment
            ? DevelopmentCredentials(completing: read.credentials).set : read.credentials
        let (started, continuation) = AsyncStream.makeStream(of: EdgeAddresses.self)
        let server = try await EdgeServer(
            configuration: read.configuration,
            credentials: credentials,
            group: MultiThreadedEventLoopGroup.singleton,
            started: { continuation.yield($0) },
            reload: { (read.configuration, credentials) }
        )
        let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let services = ServiceGroup(services: [server], logger: quiet)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { continuation.finish() }
                try await services.run()
            }
            var addresses: EdgeAddresses?
            for await started in started {
                addresses = started
                break
            }
            guard let addresses else { return try await group.waitForAll() }
            let edge = EdgeUnderTest(
                addresses: addresses,
                configuration: read.configuration,
                stopping: { await services.triggerGracefulShutdown() }
            )
            let result: Result<Void, any Error>
            do { result = .success(try await body(edge)) } catch { result = .failure(error) }
            await edge.stop()
            try await group.waitForAll()
            try result.get()
        }
    }

    /// Asks the edge to stop, as SIGTERM does.
    func stop() async { await self.stopping() }

    // MARK: Requests

    /// Makes a request on a connection of its own.
    func get(
        _ target: String,
        fields: [(name: String, value: String)] = [("Host", "edge.example")],
        method: String = "GET",
        body: String = ""
    ) async throws -> RawAnswer {
        let visitor = try await RawVisitor.connect(to: self.addresses.listen)
        var text = "\(method) \(target) HTTP/1.1\r\n"
        for field in fields { text += "\(field.name): \(field.value)\r\n" }
        if !body.isEmpty { text += "Content-Length: \(body.utf8.count)\r\n" }
        // An edge that refuses the connection may have closed it already, behind its answer.
        try? await visitor.send(text + "Connection: close\r\n\r\n" + body)
        return try await visitor.answer()
    }

    /// Makes a call of the control API.
    func call(
        _ method: String,
        _ path: String,
        body: String = "",
        key: String? = EdgeUnderTest.apiKey,
        type: String = "application/json"
    ) async throws -> RawAnswer {
        var fields = [("Host", "edge.example")]
        if let key { fields.append(("Authorization", "Bearer \(key)")) }
        if !body.isEmpty { fields.append(("Content-Type", type)) }
        return try await self.get("/api/\(path)", fields: fields, method: method, body: body)
    }

    /// Makes a tunnel.
    func makeTunnel(_ body: String = "{}", key: String = EdgeUnderTest.apiKey) async throws -> CreateTunnelResponse {
        let answer = try await self.call("POST", "tunnels/create", body: body, key: key)
        try #require(answer.status == 201, "\(answer.body)")
        return try APICoding.makeDecoder().decode(CreateTunnelResponse.self, from: Data(answer.body.utf8))
    }

    /// Asks the admin listener.
    func admin(_ path: String) async throws -> RawAnswer {
        let visitor = try await RawVisitor.connect(to: self.addresses.admin)
        try await visitor.send("GET \(path) HTTP/1.1\r\nHost: admin.example\r\nConnection: close\r\n\r\n")
        return try await visitor.answer()
    }

    // MARK: Metrics

    /// The sum of a metric's samples whose labels contain a text.
    func metric(_ name: String, _ label: String = "") async throws -> Double {
        let samples = try await self.admin("/metrics").body.split(separator: "\n").filter { line in
            line.prefix { $0 != " " && $0 != "{" } == name && (label.isEmpty || line.contains(label))
        }
        try #require(!samples.isEmpty, "there is no metric \(name)")
        return samples.reduce(0) { $0 + ($1.split(separator: " ").last.flatMap { Double($0) } ?? .nan) }
    }

    /// Waits until something is so.
    func until(_ what: Comment, within limit: TimeAmount = .seconds(20), _ isTrue: () async throws -> Bool) async throws
    {
        let deadline = NIODeadline.now() + limit
        while try await !isTrue() {
            try #require(NIODeadline.now() < deadline, what)
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    /// Waits until the edge is connected to Redis: it starts without it after a second, which a busy machine may exceed.
    func connectsToRegistry() async throws {
        try await self.until("the edge is connected to Redis") { try await self.metric("culvert_registry_up") == 1 }
    }

    /// Connects a connector to a tunnel, and waits until the tunnel has it.
    ///
    /// - Parameter sessions: How many sessions there are then.
    func connect(
        _ tunnel: CreateTunnelResponse,
        origin: ScriptedConnector.Origin = .ok,
        bundle: UInt8 = 1,
        sessions: Double = 1,
        isResumable: Bool = false,
        resuming earlier: ScriptedConnector? = nil
    ) async throws -> ScriptedConnector {
        let connector = try await ScriptedConnector.connect(
            to: self,
            token: tunnel.token,
            tunnelID: tunnel.tunnelID,
            origin: origin,
            bundle: bundle,
            isResumable: isResumable || earlier != nil,
            resuming: earlier
        )
        try await self.until("the session has joined") {
            try await self.metric("culvert_active_sessions") == sessions
        }
        return connector
    }
}
