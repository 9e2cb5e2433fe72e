// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Synchronization

/// Looks for sessions of a tunnel at other edges.
package protocol SessionSeeker: Sendable {
    /// Looks, and gives the tunnel the ways that there are; from any thread.
    ///
    /// It goes on while requests wait, and says so if there is nothing to wait for (``Tunnel/soughtInVain(now:)``).
    func seek(_ tunnel: Tunnel)

    /// Tells the edges that pass streams of a tunnel on to this one that its sessions here are suspect, or no more so.
    func tell(_ isSuspect: Bool, of tunnel: Tunnel)
}

extension Tunnel {
    /// Takes a way to another edge that has a session of the tunnel, and answers the requests that waited for one.
    ///
    /// - Parameters:
    ///   - session: Opens streams at that edge.
    ///   - pod: That edge; an older way to it is replaced.
    ///   - reach: Whether it can be reached.
    package func attach(_ session: TunnelSession, at pod: PodID, _ reach: LinkReach) {
        let waiters = self.state.withLock { state -> [EventLoopPromise<TunnelSession?>] in
            guard !state.isClosed else { return [] }
            state.ways.add(session, at: pod, reach)
            return state.takeWaiters()
        }
        for waiter in waiters { waiter.succeed(session) }
    }

    /// Notes whether an edge says that nothing comes from the sessions that it has of the tunnel: no request goes there until
    /// something does, and those that wait for that go on then.
    ///
    /// - Parameters:
    ///   - isSilent: Whether it says so.
    ///   - session: The way to that edge.
    package func setSilent(_ isSilent: Bool, at session: TunnelSession, now: NIODeadline = .now()) {
        self.state.withLock { $0.ways.setSilent(isSilent, id: session.id, now: now) }
        self.spoke(at: session)
    }

    /// Something has come over a way again: requests that wait go on over it, if nothing else is known against it.
    ///
    /// - Parameter session: The way.
    package func spoke(at session: TunnelSession) {
        let waiters = self.state.withLock { state -> [EventLoopPromise<TunnelSession?>] in
            guard state.ways.isReady(id: session.id) else { return [] }
            return state.takeWaiters()
        }
        for waiter in waiters { waiter.succeed(session) }
    }

    /// Whether there are sessions of this edge, and all that could be given requests are suspect or silent.
    package var isSuspect: Bool { self.state.withLock { $0.sessions.isSuspect } }

    /// Whether there is a way to an edge that can be used.
    package func hasWay(to pod: PodID) -> Bool {
        self.state.withLock { $0.ways.isAvailable(at: pod) }
    }

    /// Whether there are ways to other edges that can be used.
    var hasWays: Bool { self.state.withLock { $0.ways.isAvailable } }

    /// Forgets the ways to edges that have no session of the tunnel any more.
    ///
    /// - Parameter pods: Those that have some.
    func keepWays(to pods: Set<PodID>, now: NIODeadline = .now()) {
        self.state.withLock { state in
            state.couldNotLook = false
            state.lookedAt = now
            state.isElsewhere = !pods.isEmpty
            if state.ways.keep(pods), state.sessions.count == 0 { state.offlineSince = now }
        }
    }

    /// Ends every way, since the tunnel that they lead to is another owner's.
    func revokeWays(now: NIODeadline = .now()) {
        let ways = self.state.withLock { state in
            (state.couldNotLook, state.lookedAt, state.isElsewhere) = (false, now, false)
            let ways = state.ways.removeAll()
            if !ways.isEmpty, state.sessions.count == 0 { state.offlineSince = now }
            return ways
        }
        for way in ways { way.revoke() }
    }

    /// Forgets a way over which a stream was refused, since the connector is elsewhere or gone.
    ///
    /// A session of this edge stays: its own connection tells how it does.
    package func wasRefused(by session: TunnelSession, now: NIODeadline = .now()) {
        self.state.withLock { state in
            if state.ways.remove(id: session.id), state.sessions.count == 0 { state.offlineSince = now }
        }
    }

    /// The ways are looked at again with the next request that takes one: something may have been missed.
    func suspectWays() {
        self.state.withLock { $0.lookedAt = .distantPast }
    }

    /// Nobody has a session: whoever waits is told, unless one is likely to come.
    func soughtInVain(now: NIODeadline = .now()) {
        let waiters = self.state.withLock { state -> [EventLoopPromise<TunnelSession?>] in
            guard !state.isLikelyToReturn(within: self.limits.reconnectPeriod, now: now) else { return [] }
            return state.takeWaiters()
        }
        for waiter in waiters { waiter.succeed(nil) }
    }

    /// It could not be looked for other edges.
    func soughtNowhere() {
        self.state.withLock { $0.couldNotLook = true }
        self.soughtInVain()
    }

    /// Whether requests find no session because other edges can't be looked for.
    package var couldNotLook: Bool { self.state.withLock { $0.couldNotLook } }

    /// Whether requests wait for a session.
    var isAwaited: Bool { self.state.withLock { !$0.waiters.isEmpty } }
}
