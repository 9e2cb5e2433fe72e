// SPDX-License-Identifier: Apache-2.0

import ServiceLifecycle

/// One run of a tunnel: prepares it, which a request to stop cancels, and then serves it.
package struct TunnelRun: Service {
    private let server: TunnelServer
    private let prepare: TunnelServer.Preparation
    private let onActive: @Sendable () -> Void

    /// - Parameters:
    ///   - server: Serves the tunnel.
    ///   - prepare: Creates it, or reads its token.
    ///   - onActive: Called each time a connection to the edge is active.
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
