// SPDX-License-Identifier: Apache-2.0

import NIOConcurrencyHelpers
import ServiceLifecycle

/// Wakes the members of a bundle that wait for their next attempt when one of them gets through.
///
/// Each member backs off on its own, so that an edge that is away is not pestered by all at once; but when one has found
/// it, the others need not sit out what may be half a minute.
final class ReconnectBell: Sendable {
    private let waiting = NIOLockedValueBox<[Int: AsyncStream<Void>.Continuation]>([:])

    /// Lets every waiting member go on.
    func ring() {
        let waiting = self.waiting.withLockedValue { waiting in
            defer { waiting = [:] }
            return waiting
        }
        for continuation in waiting.values { continuation.finish() }
    }

    /// Waits for the time, the bell, or the request to stop, whichever comes first.
    ///
    /// - Parameters:
    ///   - duration: How long to wait at most.
    ///   - index: Which member waits.
    func wait(for duration: Duration, index: Int) async {
        let (rung, continuation) = AsyncStream.makeStream(of: Void.self)
        self.waiting.withLockedValue { $0[index] = continuation }
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { try? await Task.sleep(for: duration) }
                group.addTask { for await _ in rung {} }
                await group.next()
                group.cancelAll()
            }
        }
        self.waiting.withLockedValue { $0[index] = nil }
    }
}
