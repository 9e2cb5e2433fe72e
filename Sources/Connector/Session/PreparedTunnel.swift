// SPDX-License-Identifier: Apache-2.0

import ServiceLifecycle

/// Prepares a tunnel, which a request to stop interrupts, and then serves it.
struct PreparedTunnel: Service {
    let session: ServingSession
    let prepare: ServingSession.Preparation
    /// Runs each time a connection to the edge stands.
    let onActive: @Sendable () -> Void

    func run() async throws {
        let tunnel: ServingSession.Tunnel
        do {
            tunnel = try await cancelWhenGracefulShutdown { try await self.prepare(self.session) }
        } catch {
            if Task.isShuttingDownGracefully { return }
            throw error
        }
        try await self.session.serve(tunnel, onActive: self.onActive)
    }
}
