// SPDX-License-Identifier: Apache-2.0

import Foundation

/// What `Peers/apps` needs: an edge with TLS, and a connector with three tunnels to the port of each app.
///
/// The tunnels of an app are its name, which cuts the prefix off, the name with `-keep`, and that with `-root`.
final class AppStage {
    let scratch: ScratchFolder
    let edge: EdgeProcess?
    private let connector: RunningProcess
    /// The file that tells `Peers/apps` of it.
    private let file: URL

    /// A way in: an edge's own listener, or a proxy before it.
    struct Entrance {
        /// The origin of path URLs.
        var edge: String
        /// The domain of host URLs.
        var domain: String
        var certificate: SelfSigned
        /// What the connector dials, and by which key.
        var dialled: String
        var apiKey: String
    }

    /// Starts an edge with TLS of its own, and the connector.
    convenience init(_ apps: [String], modes: [String] = App.modes, in scratch: ScratchFolder) async throws {
        let certificate = try await SelfSigned(name: "DNS:edge.test,DNS:*.tunnels.test,IP:127.0.0.1", in: scratch)
        let port = try FreePort.next()
        let edge = try await EdgeProcess(
            in: scratch,
            arguments: [
                "--dev", "--public-url", "https://edge.test:\(port)", "--public-wildcard-domain", "tunnels.test",
                "--limits-creations-per-hour", "1000",
            ] + certificate.edgeArguments,
            scheme: "https",
            port: port
        )
        let entrance = Entrance(
            edge: "https://edge.test:\(port)",
            domain: "tunnels.test",
            certificate: certificate,
            dialled: edge.url,
            apiKey: edge.apiKey
        )
        try await self.init(apps, modes: modes, edge: edge, entrance: entrance, in: scratch)
    }

    /// Starts the connector for an edge that runs.
    init(
        _ apps: [String],
        modes: [String] = App.modes,
        edge: EdgeProcess? = nil,
        entrance: Entrance,
        in scratch: ScratchFolder
    ) async throws {
        let ports = try Dictionary(uniqueKeysWithValues: apps.map { ($0, try FreePort.next()) })
        self.scratch = scratch
        self.edge = edge
        self.file = scratch.file("stage.json")
        let told: [String: Any] = [
            "edge": entrance.edge, "domain": entrance.domain, "certificate": entrance.certificate.file.path,
            "key": entrance.certificate.key.path, "ports": ports, "modes": modes,
        ]
        try JSONSerialization.data(withJSONObject: told).write(to: self.file)

        let tunnels = scratch.file("tunnels.yaml")
        let lines = ports.sorted { $0.key < $1.key }.flatMap { name, port in
            [
                "  - {name: \(name), target: \(port)}",
                "  - {name: \(name)-keep, target: \(port), policy: {path-mode: keep}}",
            ] + (modes.contains("root") ? ["  - {name: \(name)-root, target: \(port), policy: {path-mode: root}}"] : [])
        }
        let text = (["edge: \(entrance.dialled)", "connections: 1", "tunnels:"] + lines).joined(separator: "\n")
        try Data((text + "\n").utf8).write(to: tunnels)
        self.connector = try RunningProcess(
            Programs.product("culvert"),
            ["start", "--config", tunnels.path, "--ca-file", entrance.certificate.file.path],
            environment: ["CULVERT_API_KEY": entrance.apiKey],
            in: scratch
        )
        let connector = self.connector
        try await eventually("\(lines.count) tunnels") {
            guard connector.isRunning else { throw HarnessFailure(connector.transcript) }
            let connected = connector.standardError.split(separator: "\n").count { $0.contains(" connected ") }
            return connected >= lines.count ? () : nil
        }
    }

    /// Runs one of the programs in `Peers/apps`, and gives what it printed.
    func result<Value: Decodable>(
        _ type: Value.Type,
        of arguments: [String],
        within limit: Duration
    ) async throws -> Value {
        let peer = try RunningProcess(
            Programs.pythonOfApps,
            [Programs.peer("apps"), arguments[0], self.file.path] + arguments.dropFirst(),
            environment: Programs.sizeVariables,
            in: self.scratch
        )
        let value = try await peer.decodedOutput(type, within: limit)
        print(peer.standardError, terminator: "")
        return value
    }
}

/// An app of `Peers/apps`, and what of it does not work in a mode.
struct App {
    static let modes = ["direct", "host", "path", "root", "base"]

    let name: String
    /// How many checks there are.
    let checks: Int
    /// Whether it can be told its base.
    var takesBase = true
    /// The checks that fail in a mode though they pass without a tunnel; none in the other modes.
    var fails: [String: Set<String>] = [:]
}
