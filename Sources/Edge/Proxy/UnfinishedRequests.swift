// SPDX-License-Identifier: Apache-2.0
import EdgeTunnels
import NIOCore
import Synchronization

/// A connection that holds bytes of an unfinished request; on the connection's own event loop.
protocol UnfinishedRequestHolder: AnyObject {
    /// The bytes are needed elsewhere: the request is given up.
    func givesWayToOthers()
}

/// What the unfinished requests of all visitors hold together, with a bound: beyond it whoever has held longest gives way.
///
/// That is heads and bodies that have not been passed on, and what is kept of a request to be sent again. Every member may be used from any thread. Small amounts are free, so that an ordinary request never comes here; how
/// many of those there are is bounded by the number of connections.
final class UnfinishedRequests: Sendable {
    /// How many bytes a connection holds without being counted.
    static let free = 4 << 10

    /// What one connection holds; of its event loop alone.
    struct Share {
        fileprivate var place: ArrivalSlots<Holder>.Place?
        fileprivate var bytes = 0

        /// Whether to hold so many bytes changes nothing: there is little, and was.
        func isUnchanged(by bytes: Int) -> Bool { self.bytes == 0 && bytes <= UnfinishedRequests.free }
    }

    fileprivate struct Holder {
        var bytes: Int
        let member: NIOLoopBound<any UnfinishedRequestHolder>
    }

    private struct State {
        var total = 0
        var holders = ArrivalSlots<Holder>()
        var line = ArrivalSlots<Holder>.Line()
    }

    private let limit: Int
    private let state = Mutex(State())

    /// - Parameter limit: How many bytes may be held.
    init(limit: Int) {
        self.limit = limit
    }

    /// How many bytes are held.
    var heldBytes: Int { self.state.withLock { $0.total } }
    /// How many connections hold some.
    var holderCount: Int { self.state.withLock { $0.line.count } }

    /// A connection holds so many bytes now; who has to give way is told, later and on its own event loop.
    ///
    /// - Parameters:
    ///   - bytes: How many.
    ///   - share: What the connection held before, which is changed.
    ///   - holder: The connection.
    ///   - eventLoop: The connection's event loop, which is the caller's.
    func hold(
        _ bytes: Int,
        _ share: inout Share,
        _ holder: some UnfinishedRequestHolder,
        on eventLoop: any EventLoop
    ) {
        let bytes = bytes > Self.free ? bytes : 0
        guard bytes != share.bytes else { return }
        share.bytes = bytes
        let (before, member) = (share.place, NIOLoopBound<any UnfinishedRequestHolder>(holder, eventLoop: eventLoop))
        let (place, overdue) = self.state.withLock { state -> (ArrivalSlots<Holder>.Place?, [Holder]) in
            var place = before
            if let before, let held = state.holders[before] {
                state.total += bytes - held.bytes
                if bytes > 0 {
                    state.holders[before]?.bytes = bytes
                } else {
                    state.holders.remove(before, from: &state.line)
                    place = nil
                }
            } else if bytes > 0 {
                state.total += bytes
                (place, _) = state.holders.append(to: &state.line) { _ in
                    Holder(bytes: bytes, member: member)
                }
            }
            return (place, self.makeRoom(&state))
        }
        share.place = place
        for holder in overdue {
            holder.member.eventLoop.execute { holder.member.value.givesWayToOthers() }
        }
    }

    private func makeRoom(_ state: inout State) -> [Holder] {
        var overdue: [Holder] = []
        while state.total > self.limit, let oldest = state.holders.first(of: state.line),
            let holder = state.holders.remove(oldest, from: &state.line)
        {
            state.total -= holder.bytes
            overdue.append(holder)
        }
        return overdue
    }
}
