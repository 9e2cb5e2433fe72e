// SPDX-License-Identifier: Apache-2.0

import Protocol
import ServiceLifecycle

/// Serves one tunnel over a bundle of connections, each kept up by its own task.
struct ConnectionBundle: Service {
    let opener: any SessionOpener
    /// How many connections the bundle has, 1 to 8.
    let connections: Int
    let retries: Bool
    /// Reports when the connections of this machine may be dead.
    var network = NetworkWatch()
    let report: @Sendable (ConnectionEvent) -> Void

    /// Runs until the program is asked to stop, or another connector has replaced every connection.
    ///
    /// - Throws: ``CommandFailure`` when no further attempt can succeed.
    func run() async throws {
        let id = (0..<16).map { _ in UInt8.random(in: .min ... .max) }
        let count = UInt8(clamping: self.connections)
        let (firstConnected, firstConnection) = AsyncStream.makeStream(of: Void.self)
        let report = self.report
        let pauses = ReconnectPauses()
        let subscription = self.network.subscribe { pauses.cutShort(.networkChanged) }
        let found = self.opener.edgeFound?.subscribe { pauses.cutShort(.edgeFound) }
        defer {
            self.network.cancel(subscription)
            if let found { self.opener.edgeFound?.cancel(found) }
        }
        try await withThrowingDiscardingTaskGroup { group in
            for index in 0..<count {
                group.addTask {
                    // The others start once the first is connected, so that a wrong address or token is reported once.
                    if index > 0 {
                        for await _ in firstConnected { break }
                        guard !Task.isCancelled, !Task.isShuttingDownGracefully else { return }
                    }
                    try await ConnectionKeeper(
                        opener: self.opener,
                        bundle: .init(id: id, index: index, count: count),
                        policy: ReconnectPolicy(retries: self.retries, hasBeenActive: index > 0),
                        pauses: pauses,
                        network: self.network
                    ) { event in
                        if case .active = event { firstConnection.finish() }
                        report(event)
                    }.run()
                    if index == 0 { firstConnection.finish() }
                }
            }
        }
    }
}
