// SPDX-License-Identifier: Apache-2.0

import Protocol
import ServiceLifecycle

/// Serves one tunnel: a bundle of sessions, each kept alive by its own task.
struct ConnectionBundle: Service {
    let opener: any SessionOpener
    /// How many sessions the bundle has, 1 to 8.
    let connections: Int
    let retries: Bool
    /// Tells when the machine's connections may have become something else.
    var network = NetworkWatch()
    let report: @Sendable (ConnectionEvent) -> Void

    /// Runs until the program is asked to stop, or every place of the bundle is another's.
    ///
    /// - Throws: ``CommandFailure`` when no further attempt can succeed.
    func run() async throws {
        let id = (0..<16).map { _ in UInt8.random(in: .min ... .max) }
        let count = UInt8(clamping: self.connections)
        let (firstContact, met) = AsyncStream.makeStream(of: Void.self)
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
                    // The others follow when the first is through: what is wrong with address or token is said once.
                    if index > 0 {
                        for await _ in firstContact { break }
                        guard !Task.isCancelled, !Task.isShuttingDownGracefully else { return }
                    }
                    try await ConnectionKeeper(
                        opener: self.opener,
                        bundle: .init(id: id, index: index, count: count),
                        policy: ReconnectPolicy(retries: self.retries, hasBeenActive: index > 0),
                        pauses: pauses,
                        network: self.network
                    ) { event in
                        if case .active = event { met.finish() }
                        report(event)
                    }.run()
                    if index == 0 { met.finish() }
                }
            }
        }
    }
}
