// SPDX-License-Identifier: Apache-2.0

import ServiceLifecycle

@testable import ConnectorCore

/// A tunnel that is being served, as the program that serves it would do.
struct ServiceRun: Sendable {
    let reports: AsyncStream<ConnectionEvent>
    let lifecycle: ServiceGroup
    /// The failure that ended it, if it was not the request to stop.
    let outcome: Task<CommandFailure?, Never>

    /// Begins to serve.
    init(
        _ opener: any SessionOpener,
        connections: Int = 1,
        retries: Bool = true,
        network: NetworkWatch = NetworkWatch()
    ) {
        let (reports, continuation) = AsyncStream.makeStream(of: ConnectionEvent.self)
        let service = ConnectionBundle(
            opener: opener,
            connections: connections,
            retries: retries,
            network: network
        ) { continuation.yield($0) }
        let lifecycle = ServiceGroup(running: service)
        self.reports = reports
        self.lifecycle = lifecycle
        self.outcome = Task {
            defer { continuation.finish() }
            do {
                try await lifecycle.run()
                return nil
            } catch {
                return error as? CommandFailure ?? CommandFailure(.bug, "\(error)")
            }
        }
    }

    /// Waits until the tunnel is served.
    func active() async {
        for await case .active in self.reports { return }
    }

    /// Asks it to stop, and waits until it has.
    @discardableResult
    func stop() async -> CommandFailure? {
        await self.lifecycle.triggerGracefulShutdown()
        return await self.outcome.value
    }
}
