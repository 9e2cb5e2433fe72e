// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Synchronization

/// What other edges tell, taken up in its order; beside it everything is looked up again where something may have been
/// missed, which may take long and is not to stand before a deletion.
package final class HeardEvents: Sendable {
    private let (events, told) = AsyncStream.makeStream(
        of: DirectoryEvent.self,
        bufferingPolicy: .bufferingOldest(4_096)
    )
    private let (signals, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    private let isMissed = Atomic<Bool>(false)

    /// Makes a place for events.
    package init() {}

    /// Takes what was told; it waits until ``run(by:visited:then:)`` takes it up.
    package func tell(_ event: DirectoryEvent) {
        // More than can be taken at a time: what is so is looked at instead, by and by.
        if case .dropped = self.told.yield(event) { self.mayHaveMissed() }
    }

    /// Something may not have been told: everything is looked up, once more where that is under way.
    package func mayHaveMissed() {
        self.isMissed.store(true, ordering: .relaxed)
        self.signal.yield()
    }

    /// The directory answers: what could not be looked up before is looked up now.
    package func retry() { self.signal.yield() }

    /// Takes up what is told, until the task is cancelled.
    ///
    /// - Parameters:
    ///   - registry: What takes it up.
    ///   - visited: The tunnels that have visitors who ask for nothing any more.
    ///   - then: What else is done after each event.
    package func run(
        by registry: DirectoryTunnelRegistry,
        visited: @escaping @Sendable () -> [TunnelID],
        then: @escaping @Sendable (DirectoryEvent) async -> Void
    ) async {
        await withTaskGroup { group in
            group.addTask {
                for await event in self.events {
                    if await registry.heard(event) { self.retry() }
                    await then(event)
                }
            }
            group.addTask {
                for await _ in self.signals {
                    if self.isMissed.exchange(false, ordering: .relaxed) {
                        await registry.mayHaveMissed(with: visited())
                    } else {
                        await registry.lookUpMissed()
                    }
                }
            }
            await group.waitForAll()
        }
    }
}
