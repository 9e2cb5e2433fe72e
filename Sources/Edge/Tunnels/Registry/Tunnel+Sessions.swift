// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeInbox
import NIOCore
import Synchronization

extension Tunnel {
    /// The session for a new stream; `nil` while the tunnel is offline.
    ///
    /// - Parameters:
    ///   - loop: The caller's event loop; a session that lives there is preferred.
    ///   - tried: The numbers of the sessions that the request has been on already.
    package func pickSession(preferring loop: any EventLoop, excluding tried: [UInt64] = []) -> TunnelSession? {
        let (session, isOld) = self.state.withLock { state -> (TunnelSession?, Bool) in
            guard !state.ways.isEmpty else {
                return (state.sessions.pick(preferring: ObjectIdentifier(loop), excluding: tried), false)
            }
            return state.pick(preferring: ObjectIdentifier(loop), excluding: tried)
        }
        if isOld { self.seeker?.seek(self) }
        return session
    }

    /// Whether there is a session that is known to be well.
    ///
    /// - Parameter tried: The numbers of those that don't count.
    package func hasReadySession(besides tried: [UInt64]) -> Bool {
        self.state.withLock { $0.sessions.hasReady(besides: tried) || $0.ways.hasReady(besides: tried) }
    }

    /// A session of this edge for a new stream; `nil` if the tunnel has none here.
    ///
    /// - Parameters:
    ///   - loop: The caller's event loop; a session that lives there is preferred.
    ///   - takesSilent: Whether a silent one is better than none: for a stream that another edge passes on, which may wait
    ///     for the connector here, while that edge is told that it is silent.
    package func pickLocalSession(preferring loop: any EventLoop, orSilent takesSilent: Bool = false) -> TunnelSession?
    {
        self.state.withLock { $0.sessions.pick(preferring: ObjectIdentifier(loop), orSilent: takesSilent) }
    }

    /// The numbers of all sessions that the connector of a session has.
    package func sessionIDs(ofConnectorWith id: UInt64) -> [UInt64] {
        self.state.withLock { $0.sessions.siblings(of: id) }
    }

    /// The other connectors that serve the tunnel; `nil` if another session of the same connector is to know.
    func otherConnectors(than session: TunnelSession) -> [TunnelNotice.Connector]? {
        guard let others = self.state.withLock({ $0.sessions.otherConnectors(than: session.id) }) else { return nil }
        return others.map {
            TunnelNotice.Connector(implementation: $0.implementation, remoteAddress: $0.remoteAddress)
        }
    }

    /// Whether a session still serves the tunnel and takes new streams.
    package func isServed(by session: TunnelSession) -> Bool {
        self.state.withLock { $0.sessions.isAvailable(id: session.id) || $0.ways.isAvailable(id: session.id) }
    }

    /// The session for a new stream, as soon as there is one.
    ///
    /// Only a tunnel that is likely to be reconnecting is waited for, and only by a bounded number of requests; else
    /// the future already holds `nil`.
    ///
    /// - Parameters:
    ///   - loop: The event loop of the future.
    ///   - tried: The numbers of the sessions that the request has been on already.
    ///   - timeout: For how long to wait before the future is fulfilled with `nil`.
    package func waitForSession(
        on loop: any EventLoop,
        excluding tried: [UInt64] = [],
        timeout: TimeAmount,
        now: NIODeadline = .now()
    ) -> EventLoopFuture<TunnelSession?> {
        enum Outcome {
            case answer(TunnelSession?)
            case wait(UInt64, EventLoopPromise<TunnelSession?>)
        }
        let outcome = self.state.withLock { state -> Outcome in
            if let session = state.pick(preferring: ObjectIdentifier(loop), excluding: tried).session {
                return .answer(session)
            }
            // Where nobody may wait, a session that is only silent is better than none.
            if timeout == .zero {
                return .answer(
                    state.sessions.pick(preferring: ObjectIdentifier(loop), excluding: tried, orSilent: true)
                )
            }
            // Links tell no tunnels that they have ended.
            if state.ways.dropOver(), state.sessions.count == 0 { state.offlineSince = now }
            guard !state.isClosed, state.waiters.count < self.limits.maxWaiters,
                self.seeker != nil || state.isLikelyToReturn(within: self.limits.reconnectPeriod, now: now)
            else { return .answer(nil) }
            let promise = loop.makePromise(of: TunnelSession?.self)
            state.nextWaiter += 1
            state.waiters[state.nextWaiter] = promise
            return .wait(state.nextWaiter, promise)
        }
        switch outcome {
        case .answer(let session):
            return loop.makeSucceededFuture(session)
        case .wait(let waiter, let promise):
            let giveUp = loop.scheduleTask(in: timeout) {
                self.state.withLock { $0.waiters.removeValue(forKey: waiter) }?.succeed(nil)
            }
            promise.futureResult.whenComplete { _ in giveUp.cancel() }
            self.seeker?.seek(self)
            return promise.futureResult
        }
    }

    /// Whoever waits for a session waits no more, and makes room for others: the visitor has left.
    ///
    /// - Parameter session: What ``waitForSession(on:excluding:timeout:now:)`` gave; it comes to nothing.
    package func stopWaiting(for session: EventLoopFuture<TunnelSession?>) {
        let waiter = self.state.withLock { state -> EventLoopPromise<TunnelSession?>? in
            guard let place = state.waiters.first(where: { $0.value.futureResult === session }) else { return nil }
            return state.waiters.removeValue(forKey: place.key)
        }
        waiter?.succeed(nil)
    }

    /// Adds a session, and answers the requests that waited for one.
    ///
    /// - Parameters:
    ///   - session: The session.
    ///   - slot: Its identity; an older session with the same one is replaced.
    /// - Returns: What became of it; the caller closes the session that was replaced.
    func join(_ session: TunnelSession, slot: BundleSlot?) -> SessionTable<TunnelSession>.JoinResult {
        let (result, waiters, suspicion) = self.state.withLock { state in
            guard !state.isClosed else {
                return (SessionTable<TunnelSession>.JoinResult.closed, [EventLoopPromise<TunnelSession?>](), Bool?.none)
            }
            let result = state.sessions.join(
                session,
                slot: slot,
                limit: min(state.policy.maxConnections ?? self.limits.maxConnections, self.limits.maxConnections)
            )
            guard case .joined = result else { return (result, [], nil) }
            state.inbox?.sessionJoined()
            return (result, state.takeWaiters(), state.changedSuspicion())
        }
        for waiter in waiters { waiter.succeed(session) }
        self.tell(suspicion)
        return result
    }

    /// Removes a session that has ended.
    package func leave(_ session: TunnelSession, now: NIODeadline = .now()) {
        let suspicion = self.state.withLock { state -> Bool? in
            if state.sessions.leave(id: session.id), state.sessions.count == 0 {
                state.offlineSince = now
                // Other edges keep what they were told: their requests would only be refused here.
                return nil
            }
            return state.changedSuspicion()
        }
        self.tell(suspicion)
    }

    /// Tells other edges what has changed, if anything has.
    private func tell(_ suspicion: Bool?) {
        if let suspicion { self.seeker?.tell(suspicion, of: self) }
    }

    /// Notes that a session became more or less available for new streams.
    ///
    /// Requests that wait for a session have one that is ready again.
    func setAvailability(_ availability: SessionTable<TunnelSession>.Availability, of session: TunnelSession) {
        let (waiters, suspicion) = self.state.withLock { state -> ([EventLoopPromise<TunnelSession?>], Bool?) in
            state.sessions.setAvailability(availability, id: session.id)
            let suspicion = state.changedSuspicion()
            if availability == .ready { state.inbox?.sessionJoined() }
            guard availability == .ready, !state.waiters.isEmpty, state.sessions.isAvailable(id: session.id) else {
                return ([], suspicion)
            }
            return (state.takeWaiters(), suspicion)
        }
        for waiter in waiters { waiter.succeed(session) }
        self.tell(suspicion)
    }

    /// Whether the tunnel has had no session for long.
    ///
    /// - Parameter time: Since when.
    package func isIdle(since time: NIODeadline) -> Bool {
        self.state.withLock { $0.sessions.count == 0 && $0.ways.isEmpty && $0.offlineSince < time }
    }

    /// Ends the tunnel: no session can join any more, and whoever waits for one is told.
    ///
    /// - Parameter isDeleted: Whether somebody wanted that; a tunnel that was only forgotten can be made again.
    /// - Returns: The sessions that served it; the caller closes them.
    package func close(isDeleted: Bool) -> [TunnelSession] {
        let (sessions, waiters) = self.state.withLock { state in
            state.isClosed = true
            state.isDeleted = isDeleted
            // What goes to other edges ends there, unless nobody is to be served any more.
            let ways = state.ways.removeAll()
            return (state.sessions.removeAll() + (isDeleted ? ways : []), state.takeWaiters())
        }
        for waiter in waiters { waiter.succeed(nil) }
        return sessions
    }

    /// Whether the tunnel was ended because somebody wanted that.
    package var isDeleted: Bool { self.state.withLock { $0.isDeleted } }

    /// The sessions that serve the tunnel now.
    package var sessions: [TunnelSession] { self.state.withLock { $0.sessions.sessions } }

    /// Of each connector with several sessions here, the one that it can best spare.
    var crowdedSessions: [TunnelSession] { self.state.withLock { $0.sessions.crowded } }

    /// The sessions that serve the tunnel now, each with what tells it from the others wherever they are.
    ///
    /// - Parameter edge: Whose sessions these are, for those whose connector does not say which it is.
    func slots(of edge: String) -> [(slot: String, session: TunnelSession)] {
        self.state.withLock { $0.sessions.slots(of: edge) }
    }

    /// The most sessions that the tunnel may have.
    var maxConnections: Int {
        min(self.policy.maxConnections ?? self.limits.maxConnections, self.limits.maxConnections)
    }

    /// Whether the tunnel can be reached.
    var reachability: TunnelState {
        self.state.withLock { state in
            // Who has not answered for some seconds has not gone.
            if state.sessions.isAvailable || state.sessions.isSilent { return .online }
            if state.ways.isAvailable || state.isElsewhere { return .online }
            return state.sessions.isDraining ? .draining : .offline
        }
    }
}

extension Tunnel.State {
    /// The session for the next request: one of this edge before one of another, ready ones before suspect ones, and none
    /// that is silent.
    ///
    /// - Returns: The session, and whether it is long ago that other edges were looked for.
    fileprivate mutating func pick(
        preferring loop: ObjectIdentifier,
        excluding tried: [UInt64]
    ) -> (session: TunnelSession?, isOld: Bool) {
        if let session = self.sessions.pick(preferring: loop, excluding: tried, sparingSuspects: true) {
            return (session, false)
        }
        guard let session = self.ways.pick(preferring: loop, excluding: tried) else {
            return (self.sessions.pick(preferring: loop, excluding: tried), false)
        }
        let now = NIODeadline.now()
        guard now - self.lookedAt > RemoteWays.lifetime else { return (session, false) }
        self.lookedAt = now
        return (session, true)
    }

    /// All who wait for a session, who are answered outside of the lock.
    mutating func takeWaiters() -> [EventLoopPromise<TunnelSession?>] {
        defer { self.waiters.removeAll() }
        return Array(self.waiters.values)
    }

    /// Whether the sessions of this edge are suspect, if that has changed.
    mutating func changedSuspicion() -> Bool? {
        let isSuspect = self.sessions.isSuspect
        guard isSuspect != self.isToldSuspect else { return nil }
        self.isToldSuspect = isSuspect
        return isSuspect
    }

    /// Whether a session is likely to come although none can be used: one that is there, but refuses or is about to
    /// leave, is likely to be replaced, and one that is silent, also at another edge, to speak again.
    func isLikelyToReturn(within period: TimeAmount, now: NIODeadline) -> Bool {
        self.sessions.count > 0 || self.ways.isSilent || now - self.offlineSince < period
    }
}
