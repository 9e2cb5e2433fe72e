// SPDX-License-Identifier: Apache-2.0

import ServiceLifecycle

/// Prepares a tunnel, which a request to stop interrupts, and then serves it.
package struct TunnelRun: Service {
    private let server: TunnelServer
    private let prepare: TunnelServer.Preparation
    private let onActive: @Sendable () -> Void

    /// - Parameters:
    ///   - server: Serves the tunnel.
    ///   - prepare: Makes or reads it.
    ///   - onActive: Runs each time a connection to the edge stands.
    package init(
        server: TunnelServer,
        prepare: @escaping TunnelServer.Preparation,
        onActive: @escaping @Sendable () -> Void
    ) {
        self.server = server
        self.prepare = prepare
        self.onActive = onActive
    }

    /// Serves the tunnel until the task's graceful shutdown.
    package func run() async throws {
        let tunnel: ServedTunnel
        do {
            tunnel = try await cancelWhenGracefulShutdown { try await self.prepare(self.server) }
        } catch {
            if Task.isShuttingDownGracefully { return }
            throw error
        }
        try await self.server.serve(tunnel, onActive: self.onActive)
    }
}
