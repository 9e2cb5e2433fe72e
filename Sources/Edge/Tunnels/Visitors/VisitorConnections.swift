// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Synchronization

/// A connection that is told how far its listener is on its way out; on the connection's own event loop.
package protocol VisitorConnectionMember: AnyObject {
    /// The listener has come to a later stage.
    func listenerEntered(_ stage: VisitorConnections.Stage)
}

/// The open connections of a listener's visitors, and how far that listener is on its way out.
///
/// Every member may be used from any thread. A connection that has sent its last byte counts no longer, even if its
/// visitor has yet to close the other direction.
package final class VisitorConnections: Sendable {
    /// How far a listener is on its way out; it never goes back.
    package enum Stage: Int, Comparable, Sendable {
        /// Requests are taken, and connections are kept.
        case serving
        /// Requests are taken; every answer says that it is the connection's last, and none waits for a connector
        /// of this edge, which sends them away.
        case leaving
        /// In addition, a connection between two requests is closed.
        case closing

        package static func < (one: Stage, other: Stage) -> Bool { one.rawValue < other.rawValue }
    }

    private struct State {
        var stage = Stage.serving
        var members: [ObjectIdentifier: NIOLoopBound<any VisitorConnectionMember>] = [:]
        var whenEmpty: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())

    /// Makes the connections of a listener that serves.
    package init() {}

    /// How far the listener is on its way out.
    package var stage: Stage { self.state.withLock { $0.stage } }

    /// How many connections may still have something to send.
    package var count: Int { self.state.withLock { $0.members.count } }

    /// Brings the listener to a stage, and tells every connection on its own event loop; an earlier stage changes nothing.
    package func enter(_ stage: Stage) {
        let members = self.state.withLock { state -> [NIOLoopBound<any VisitorConnectionMember>] in
            guard stage > state.stage else { return [] }
            state.stage = stage
            return Array(state.members.values)
        }
        for member in members {
            member.eventLoop.execute { member.value.listenerEntered(stage) }
        }
    }

    /// Calls a function once no connection is left: at once, on the caller's thread, or later on an event loop's.
    package func whenEmpty(_ body: @escaping @Sendable () -> Void) {
        let isEmpty = self.state.withLock { state in
            if !state.members.isEmpty { state.whenEmpty.append(body) }
            return state.members.isEmpty
        }
        if isEmpty { body() }
    }

    /// Adds a connection; on its event loop.
    ///
    /// - Returns: The stage that it begins in.
    package func join(_ connection: any VisitorConnectionMember, on eventLoop: any EventLoop) -> Stage {
        let member = NIOLoopBound(connection, eventLoop: eventLoop)
        return self.state.withLock { state in
            state.members[ObjectIdentifier(connection)] = member
            return state.stage
        }
    }

    /// Takes a connection away that sends nothing more; one that was taken away already changes nothing.
    package func leave(_ connection: any VisitorConnectionMember) {
        let waiting = self.state.withLock { state -> [@Sendable () -> Void] in
            guard state.members.removeValue(forKey: ObjectIdentifier(connection)) != nil, state.members.isEmpty else {
                return []
            }
            defer { state.whenEmpty = [] }
            return state.whenEmpty
        }
        for body in waiting { body() }
    }
}
