// SPDX-License-Identifier: Apache-2.0

import NIOConcurrencyHelpers
import ServiceLifecycle

/// Ends the members of a bundle that wait for their next attempt: one of them got through, or the network changed.
///
/// Each member backs off on its own, so that an edge that is away is not pestered by all at once; but when one has found
/// it, the others need not sit out what may be half a minute.
final class ReconnectPauses: Sendable {
    /// Why a wait ended.
    enum End: Sendable, Equatable {
        /// Its time was over, or the program is to stop.
        case timeUp
        /// Another member has found the edge.
        case edgeFound
        /// The reasons for which earlier attempts failed may be gone.
        case networkChanged
    }

    private let waiting = NIOLockedValueBox<[Int: AsyncStream<End>.Continuation]>([:])

    /// Lets every waiting member go on.
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

    /// Waits for the time, the bell, or the request to stop, whichever comes first.
    ///
    /// - Parameters:
    ///   - duration: How long to wait at most.
    ///   - index: Which member waits.
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
