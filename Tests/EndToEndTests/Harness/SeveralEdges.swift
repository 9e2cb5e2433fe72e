// SPDX-License-Identifier: Apache-2.0

import Foundation
import RedisServer

/// Some edges that serve each other's tunnels, with the Redis in which they find them, and a load balancer that connectors
/// dial.
final class SeveralEdges {
    let redis: RedisServer
    let edges: [EdgeProcess]
    let balancer: RunningProcess
    /// The port of the load balancer.
    let entrance: Int
    let scratch: ScratchFolder

    /// Starts everything.
    ///
    /// - Parameters:
    ///   - count: How many edges.
    ///   - arguments: Their flags beside those that say where they listen.
    ///   - signingKeys: The file of their signing keys; one that all know if it is left out.
    init(
        _ count: Int = 3,
        arguments: [String] = ["--dev"],
        signingKeys: URL? = nil,
        in scratch: ScratchFolder
    ) async throws {
        let redis = try RedisServer()
        let entrance = try FreePort.next()
        let secret = Data((0..<32).map { UInt8($0) }).base64EncodedString()
        var edges: [EdgeProcess] = []
        for _ in 0..<count {
            let links = try FreePort.next()
            edges.append(
                try await EdgeProcess(
                    in: scratch,
                    arguments: arguments + [
                        "--public-url", "http://127.0.0.1:\(entrance)",
                        "--cluster-redis-url", "redis://127.0.0.1:\(redis.port)",
                        "--cluster-listen", "127.0.0.1:\(links)", "--cluster-lease", "2s",
                    ],
                    environment: signingKeys.map { ["CULVERT_AUTH_SIGNING_KEYS_FILE": $0.path] }
                        ?? ["CULVERT_AUTH_SIGNING_KEY": secret]
                )
            )
        }
        self.balancer = try RunningProcess.peer(
            "balance.py",
            ["\(entrance)"] + edges.map { "\($0.port)" },
            in: scratch
        )
        _ = try await self.balancer.line(startingWith: "balancing")
        self.redis = redis
        self.entrance = entrance
        self.edges = edges
        self.scratch = scratch
    }

    /// Starts a connector of a tunnel, and waits until its sessions are known to all.
    func connect(_ tunnel: IssuedTunnel, to port: Int, connections: Int = 1) async throws -> RunningProcess {
        let connector = try RunningProcess(
            Programs.product("culvert"),
            ["connect", "--to", "\(port)", "--connections", "\(connections)"],
            environment: ["CULVERT_TOKEN": tunnel.token],
            in: self.scratch
        )
        try await eventually("its sessions are there, and known") { () -> Void? in
            guard try await self.sessions().reduce(0, +) == Double(connections) else { return nil }
            let record = try self.redis.ask(["HKEYS", "cv:t:\(tunnel.id)"])
            return record.split(separator: "\n").count { $0.hasPrefix("s:") } >= connections ? () : nil
        }
        return connector
    }

    /// How many sessions each edge has.
    func sessions() async throws -> [Double] {
        var counts: [Double] = []
        for edge in self.edges {
            counts.append(try await edge.metric("culvert_active_sessions", in: self.scratch))
        }
        return counts
    }
}
