// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import NIOCore
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The bounds of every tunnel of an edge.
package struct TunnelLimits: Sendable {
    /// The most sessions of a tunnel whose policy says nothing (`tunnel.max-connections`).
    package var maxConnections = 100
    /// The most connections that visitors of a tunnel of TCP have, where its policy says nothing: what one connection of a
    /// connector carries.
    static let defaultMaxVisitors = 1_024
    /// The most requests that wait for a connector to come back.
    var maxWaiters = 256
    /// For how long after its last session left a tunnel is taken to be reconnecting.
    package var reconnectPeriod: TimeAmount = .seconds(35)
    /// How much password hashing all tunnels do together.
    var hashing = HashingBudget()

    /// Makes the bounds of an edge.
    package init(
        maxConnections: Int = 100,
        maxWaiters: Int = 256,
        reconnectPeriod: TimeAmount = .seconds(35),
        hashing: HashingBudget = HashingBudget()
    ) {
        self.maxConnections = maxConnections
        self.maxWaiters = maxWaiters
        self.reconnectPeriod = reconnectPeriod
        self.hashing = hashing
    }
}

/// An id, a policy and the live sessions that serve them.
///
/// Every member may be used from any thread.
package final class Tunnel: Sendable {
    /// The tunnel's id.
    package let id: TunnelID
    /// The name that was asked for, if any.
    package let name: String?
    /// Who owns it: the owner of the API key that it was made with.
    package let owner: String
    /// When the tunnel was first made.
    package let createdAt: Date

    private struct State {
        var policy: TunnelPolicy
        var form: TunnelForm
        /// When the owner gave the policy, in seconds since 1970.
        var version: Double
        var gate: VisitorGate
        var places = VisitorPlaces()
        var sessions = SessionTable<TunnelSession>()
        var turns = OriginTurns()
        var waiters: [UInt64: EventLoopPromise<TunnelSession?>] = [:]
        var nextWaiter: UInt64 = 0
        var offlineSince: NIODeadline
        var isClosed = false
        var isDeleted = false

        mutating func replacePolicy(with policy: TunnelPolicy) {
            guard policy != self.policy else { return }
            self.policy = policy
            self.gate.adopt(policy)
        }
    }

    private let limits: TunnelLimits
    private let state: Mutex<State>
    private let requests = Atomic<UInt64>(0)
    /// The connections of visitors of a tunnel of TCP that are open.
    private let connections = Atomic<Int>(0)
    private let errors = Atomic<UInt64>(0)
    private let bytesReceived = Atomic<UInt64>(0)
    private let bytesSent = Atomic<UInt64>(0)
    private let lastActiveSeconds = Atomic<Int64>(0)
    private let lastEchoSeconds = Atomic<Int64>(0)
    /// From when connections to the origin are kept for the next request, on the clock of event loops.
    private let keepsIdleFrom = Atomic<UInt64>(0)

    /// Makes a tunnel without sessions.
    package init(_ specification: TunnelSpecification, limits: TunnelLimits = TunnelLimits(), now: NIODeadline = .now())
    {
        self.id = specification.id
        self.name = specification.name
        self.owner = specification.owner
        self.createdAt = specification.createdAt
        self.limits = limits
        self.state = Mutex(
            State(
                policy: specification.policy,
                form: specification.form,
                version: specification.version,
                gate: VisitorGate(
                    specification.policy,
                    tunnel: specification.id.description,
                    owner: specification.owner
                ),
                offlineSince: now
            )
        )
    }

    /// What happens to visitors' requests.
    package var policy: TunnelPolicy { self.state.withLock { $0.policy } }

    /// When the owner took the name, or last changed the policy, in seconds since 1970.
    package var version: Double { self.state.withLock { $0.version } }

    /// What it carries, and where visitors find it.
    package var form: TunnelForm { self.state.withLock { $0.form } }

    /// The policy and the form, and when the owner gave them.
    var versionedPolicy: (policy: TunnelPolicy, form: TunnelForm, version: Double) {
        self.state.withLock { ($0.policy, $0.form, $0.version) }
    }

    /// Takes what a token tells of the tunnel, unless a later word is known.
    func adopt(_ specification: TunnelSpecification) {
        self.state.withLock { state in
            guard specification.version > state.version else { return }
            state.version = specification.version
            state.form = specification.form
            state.replacePolicy(with: specification.policy)
        }
    }

    /// Notes the port of the edge that is the tunnel's from now on.
    package func listens(on port: UInt16) {
        self.state.withLock { $0.form.port = port }
    }

    /// Takes the policy that the owner gives now.
    ///
    /// - Parameters:
    ///   - policy: The policy.
    ///   - now: The time in seconds since 1970; a clock that went back makes no later word an earlier one.
    package func change(to policy: TunnelPolicy, at now: Double) {
        self.state.withLock { state in
            state.version = max(now, state.version.nextUp)
            state.replacePolicy(with: policy)
        }
    }

    /// What was decided on a visitor's request, and the policy that it was decided by: the two belong together.
    package struct Visit {
        package var decision: VisitorDecision
        package var policy: TunnelPolicy
        package var form: TunnelForm
    }

    /// Decides whether a visitor's request may reach the tunnel, by its policy.
    ///
    /// - Parameters:
    ///   - address: The trusted address of the visitor.
    ///   - authorization: The values of the request's `Authorization` fields.
    package func visit(
        address: IPAddress?,
        authorization: [String],
        now: NIODeadline = .now()
    ) -> Visit {
        self.state.withLock { state in
            guard !state.gate.admitsEverybody else {
                return Visit(
                    decision: .admit(stripsAuthorization: false),
                    policy: state.policy,
                    form: state.form
                )
            }
            let decision = state.gate.admit(
                address: address,
                authorization: authorization,
                hashing: self.limits.hashing,
                now: Double(now.uptimeNanoseconds) / 1e9
            )
            return Visit(decision: decision, policy: state.policy, form: state.form)
        }
    }

    /// Decides whether a visitor's request may reach the tunnel, now that its password has been compared.
    ///
    /// - Parameters:
    ///   - attempt: What ``visit(address:authorization:now:)`` wanted to be compared.
    ///   - isRight: Whether it had the hash.
    package func concludeVisit(_ attempt: PasswordAttempt, isRight: Bool, now: NIODeadline = .now()) -> Visit {
        self.state.withLock { state in
            let decision = state.gate.conclude(attempt, isRight: isRight, now: Double(now.uptimeNanoseconds) / 1e9)
            return Visit(decision: decision, policy: state.policy, form: state.form)
        }
    }

    /// Begins a request that was admitted; one of the same address that has long been idle may have to give way.
    ///
    /// - Parameters:
    ///   - place: The visitor's connection.
    ///   - address: The trusted address of the visitor.
    ///   - policy: What the request was admitted by.
    /// - Returns: What to end it with; `nil` if the address has as many requests under way as it may have.
    package func beginVisit(
        _ place: VisitorPlace,
        address: IPAddress?,
        policy: TunnelPolicy,
        now: NIODeadline
    ) -> VisitorTicket? {
        let entry = self.state.withLock { state in
            state.places.enter(
                place,
                from: CallerAddress(address),
                bound: policy.maxRequestsPerVisitor ?? VisitorPlaces.bound,
                now: now
            )
        }
        switch entry {
        case .entered(let ticket): return ticket
        case .inPlace(let ticket, let other, let old):
            other.giveWay(old)
            return ticket
        case .full: return nil
        }
    }

    /// Ends a request.
    package func endVisit(_ ticket: VisitorTicket) {
        self.state.withLock { $0.places.leave(ticket) }
    }

    /// Begins a visitor's connection to a tunnel of TCP; if it may begin, ``endConnection()`` has to follow.
    ///
    /// - Parameter policy: What it was admitted by.
    package func beginConnection(_ policy: TunnelPolicy) -> Bool {
        let (_, count) = self.connections.add(1, ordering: .relaxed)
        guard count <= policy.maxVisitors ?? TunnelLimits.defaultMaxVisitors else {
            self.endConnection()
            return false
        }
        return true
    }

    /// Ends a visitor's connection.
    package func endConnection() {
        self.connections.subtract(1, ordering: .relaxed)
    }

    // MARK: Sessions

    /// The session for a new stream; `nil` while the tunnel is offline.
    ///
    /// - Parameters:
    ///   - loop: The caller's event loop; a session that lives there is preferred.
    ///   - tried: The numbers of the sessions that the request has been on already.
    package func pickSession(preferring loop: any EventLoop, excluding tried: [UInt64] = []) -> TunnelSession? {
        self.state.withLock { $0.sessions.pick(preferring: ObjectIdentifier(loop), excluding: tried) }
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
        self.state.withLock { $0.sessions.isAvailable(id: session.id) }
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
            if let session = state.sessions.pick(preferring: ObjectIdentifier(loop), excluding: tried) {
                return .answer(session)
            }
            guard !state.isClosed, state.waiters.count < self.limits.maxWaiters,
                // A session that is there, but refuses or is about to leave, is likely to be replaced.
                state.sessions.count > 0 || now - state.offlineSince < self.limits.reconnectPeriod
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
            return promise.futureResult
        }
    }

    /// Adds a session, and answers the requests that waited for one.
    ///
    /// - Parameters:
    ///   - session: The session.
    ///   - slot: Its identity; an older session with the same one is replaced.
    /// - Returns: What became of it; the caller closes the session that was replaced.
    func join(_ session: TunnelSession, slot: BundleSlot?) -> SessionTable<TunnelSession>.JoinResult {
        let (result, waiters) = self.state.withLock { state in
            guard !state.isClosed else {
                return (SessionTable<TunnelSession>.JoinResult.closed, [EventLoopPromise<TunnelSession?>]())
            }
            let result = state.sessions.join(
                session,
                slot: slot,
                limit: min(state.policy.maxConnections ?? self.limits.maxConnections, self.limits.maxConnections)
            )
            guard case .joined = result else { return (result, []) }
            defer { state.waiters.removeAll() }
            return (result, Array(state.waiters.values))
        }
        for waiter in waiters { waiter.succeed(session) }
        return result
    }

    /// Removes a session that has ended.
    package func leave(_ session: TunnelSession, now: NIODeadline = .now()) {
        self.state.withLock { state in
            if state.sessions.leave(id: session.id), state.sessions.count == 0 { state.offlineSince = now }
        }
    }

    /// Notes that a session became more or less available for new streams.
    ///
    /// Requests that wait for a session have one that is ready again.
    func setAvailability(_ availability: SessionTable<TunnelSession>.Availability, of session: TunnelSession) {
        let waiters = self.state.withLock { state -> [EventLoopPromise<TunnelSession?>] in
            state.sessions.setAvailability(availability, id: session.id)
            guard availability == .ready, !state.waiters.isEmpty, state.sessions.isAvailable(id: session.id) else {
                return []
            }
            defer { state.waiters.removeAll() }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.succeed(session) }
    }

    /// Whether the tunnel has had no session for long.
    ///
    /// - Parameter time: Since when.
    package func isIdle(since time: NIODeadline) -> Bool {
        self.state.withLock { $0.sessions.count == 0 && $0.offlineSince < time }
    }

    /// Ends the tunnel: no session can join any more, and whoever waits for one is told.
    ///
    /// - Parameter isDeleted: Whether somebody wanted that; a tunnel that was only forgotten can be made again.
    /// - Returns: The sessions that served it; the caller closes them.
    package func close(isDeleted: Bool) -> [TunnelSession] {
        let (sessions, waiters) = self.state.withLock { state in
            state.isClosed = true
            state.isDeleted = isDeleted
            defer { state.waiters.removeAll() }
            return (state.sessions.removeAll(), Array(state.waiters.values))
        }
        for waiter in waiters { waiter.succeed(nil) }
        return sessions
    }

    /// Whether the tunnel was ended because somebody wanted that.
    package var isDeleted: Bool { self.state.withLock { $0.isDeleted } }

    /// The sessions that serve the tunnel now.
    package var sessions: [TunnelSession] { self.state.withLock { $0.sessions.sessions } }

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
            if state.sessions.isAvailable { return .online }
            return state.sessions.isDraining ? .draining : .offline
        }
    }

    // MARK: Counters

    /// Counts a visitor's request.
    package func recordRequest(now: Date = Date()) {
        self.requests.add(1, ordering: .relaxed)
        self.lastActiveSeconds.store(Int64(now.timeIntervalSince1970), ordering: .relaxed)
    }

    /// Counts a request that ended with an error that the edge made.
    package func recordError() {
        self.errors.add(1, ordering: .relaxed)
    }

    /// Counts body bytes.
    ///
    /// - Parameters:
    ///   - received: Bytes from visitors.
    ///   - sent: Bytes to visitors.
    package func recordBytes(received: Int = 0, sent: Int = 0) {
        if received > 0 { self.bytesReceived.add(UInt64(received), ordering: .relaxed) }
        if sent > 0 { self.bytesSent.add(UInt64(sent), ordering: .relaxed) }
    }

    /// What has passed through so far.
    package var counters: TunnelCounters {
        TunnelCounters(
            requests: self.requests.load(ordering: .relaxed),
            errors: self.errors.load(ordering: .relaxed),
            bytesReceived: self.bytesReceived.load(ordering: .relaxed),
            bytesSent: self.bytesSent.load(ordering: .relaxed)
        )
    }

    /// Notes that a connector has answered an echo.
    func recordEcho(at date: Date) {
        self.lastEchoSeconds.max(Int64(date.timeIntervalSince1970), ordering: .relaxed)
    }

    /// When a visitor's request last used the tunnel.
    var lastActiveAt: Date? { Self.date(self.lastActiveSeconds) }

    /// When a connector last answered an echo.
    var lastEchoAt: Date? { Self.date(self.lastEchoSeconds) }

    private static func date(_ seconds: borrowing Atomic<Int64>) -> Date? {
        let seconds = seconds.load(ordering: .relaxed)
        return seconds == 0 ? nil : Date(timeIntervalSince1970: TimeInterval(seconds))
    }
}

// MARK: - Origins that serve one connection at a time

extension Tunnel: OriginSharing {
    package func keepsIdleConnections(now: NIODeadline) -> Bool {
        now.uptimeNanoseconds >= self.keepsIdleFrom.load(ordering: .relaxed)
    }

    package func giveUpIdleConnections(since: NIODeadline, now: NIODeadline) {
        let sessions = self.state.withLock { state in
            state.turns.isDue(since: since, now: now) ? state.sessions.sessions : []
        }
        for session in sessions {
            session.eventLoop.execute {
                guard session.pool.value.giveUpIdle() else { return }
                self.state.withLock { $0.turns.gaveUp(now: session.eventLoop.now) }
            }
        }
    }

    package func originAnswered(since: NIODeadline, now: NIODeadline) {
        self.state.withLock { state in
            state.turns.answered(since: since, now: now)
            if let end = state.turns.keepsNoneUntil {
                self.keepsIdleFrom.store(end.uptimeNanoseconds, ordering: .relaxed)
            }
        }
    }
}
