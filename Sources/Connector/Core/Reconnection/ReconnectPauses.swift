// SPDX-License-Identifier: Apache-2.0

import NIOConcurrencyHelpers
import ServiceLifecycle

/// The pauses between attempts of a bundle's connections, which end early when one of them connects or the network
/// changes.
///
/// Each connection backs off on its own, so that an edge that is down does not get all attempts at once. When one of
/// them connects, the others try at once instead of waiting for up to half a minute.
final class ReconnectPauses: Sendable {
    /// Why a pause ended.
    enum End: Sendable, Equatable {
        /// Its time is over, or the program is asked to stop.
        case timeUp
        /// Another connection reached the edge.
        case edgeFound
        /// The network changed: the next attempt may succeed whatever failed before.
        case networkChanged
    }

    private let waiting = NIOLockedValueBox<[Int: AsyncStream<End>.Continuation]>([:])

    /// Ends all pauses.
    func cutShort(_ end: End) {
        let waiting = self.waiting.withLockedValue { waiting in
            defer { waiting = [:] }
            return waiting
        }
        for continuation in waiting.values {
            continuation.yield(end)
            continuation.finish()
        }
    }

    /// Waits for the time, for ``cutShort(_:)``, or for the request to stop, whichever comes first.
    ///
    /// - Parameters:
    ///   - duration: How long to wait at most.
    ///   - index: Which connection of the bundle waits.
    @discardableResult
    func wait(for duration: Duration, index: Int) async -> End {
        let (ends, continuation) = AsyncStream.makeStream(of: End.self)
        self.waiting.withLockedValue { $0[index] = continuation }
        let end = await cancelWhenGracefulShutdown {
            await withTaskGroup(of: End.self) { group in
                group.addTask {
                    try? await Task.sleep(for: duration)
                    return .timeUp
                }
                group.addTask {
                    for await end in ends { return end }
                    return .timeUp
                }
                let first = await group.next() ?? .timeUp
                group.cancelAll()
                return first
            }
        }
        self.waiting.withLockedValue { $0[index] = nil }
        return end
    }
}
