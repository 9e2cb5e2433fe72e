// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeInbox
import NIOCore
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

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

    struct State {
        var policy: TunnelPolicy
        var form: TunnelForm
        /// When the owner gave the policy, in seconds since 1970.
        var version: Double
        var gate: VisitorGate
        var inbox: TunnelInbox?
        var places = VisitorPlaces()
        var sessions = SessionTable<TunnelSession>()
        /// Whether other edges were last told that its sessions here are suspect.
        var isToldSuspect = false
        /// The ways to other edges that have sessions of the tunnel.
        var ways = RemoteWays()
        /// Whether other edges had sessions when it was last looked.
        var isElsewhere = false
        /// Whether other edges could not be looked for when it was last tried.
        var couldNotLook = false
        /// When it was last looked which other edges have sessions.
        var lookedAt: NIODeadline
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

    let limits: TunnelLimits
    let state: Mutex<State>
    /// Looks for sessions at other edges, if there are any.
    let seeker: (any SessionSeeker)?
    /// Whether other edges may serve the tunnel.
    package var looksFurther: Bool { self.seeker != nil }
    /// Keeps the limit of requests together with other edges, if there are any.
    private let sharer: (any RateSharer)?
    private let requests = Atomic<UInt64>(0)
    /// The connections of visitors of a tunnel of TCP that are open.
    private let connections = Atomic<Int>(0)
    /// By their codes, of which there are few.
    private let errors = Mutex<[String: UInt64]>([:])
    private let bytesReceived = Atomic<UInt64>(0)
    private let bytesSent = Atomic<UInt64>(0)
    private let lastActiveSeconds = Atomic<Int64>(0)
    private let lastEchoSeconds = Atomic<Int64>(0)
    /// From when connections to the origin are kept for the next request, on the clock of event loops.
    private let keepsIdleFrom = Atomic<UInt64>(0)

    /// Makes a tunnel without sessions.
    package init(
        _ specification: TunnelSpecification,
        limits: TunnelLimits = TunnelLimits(),
        seeker: (any SessionSeeker)? = nil,
        sharer: (any RateSharer)? = nil,
        now: NIODeadline = .now()
    ) {
        self.seeker = seeker
        self.sharer = sharer
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
                lookedAt: now,
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
        /// What keeps the request if nobody can take it; mostly nothing.
        package var inbox: TunnelInbox?
    }

    /// What keeps requests that nobody can take; `nil` if there is none.
    package var inbox: TunnelInbox? {
        get { self.state.withLock { $0.inbox } }
        set {
            self.state.withLock { $0.inbox = newValue }
            newValue?.sessionJoined()
        }
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
        let (visit, isToBeTold) = self.state.withLock { state in
            guard !state.gate.admitsEverybody else {
                let visit = Visit(
                    decision: .admit(stripsAuthorization: false),
                    policy: state.policy,
                    form: state.form,
                    inbox: state.inbox
                )
                return (visit, false)
            }
            let decision = state.gate.admit(
                address: address,
                authorization: authorization,
                hashing: self.limits.hashing,
                now: Double(now.uptimeNanoseconds) / 1e9
            )
            let visit = Visit(decision: decision, policy: state.policy, form: state.form, inbox: state.inbox)
            return (visit, self.sharer != nil && state.gate.beginTelling())
        }
        if isToBeTold { self.sharer?.share(self) }
        return visit
    }

    /// Decides whether a visitor's request may reach the tunnel, now that its password has been compared.
    ///
    /// - Parameters:
    ///   - attempt: What ``visit(address:authorization:now:)`` wanted to be compared.
    ///   - isRight: Whether it had the hash.
    package func concludeVisit(_ attempt: PasswordAttempt, isRight: Bool, now: NIODeadline = .now()) -> Visit {
        let (visit, isToBeTold) = self.state.withLock { state in
            let decision = state.gate.conclude(attempt, isRight: isRight, now: Double(now.uptimeNanoseconds) / 1e9)
            let visit = Visit(decision: decision, policy: state.policy, form: state.form, inbox: state.inbox)
            return (visit, self.sharer != nil && state.gate.beginTelling())
        }
        if isToBeTold { self.sharer?.share(self) }
        if !isRight { self.sharer?.tellFailure(of: self, by: attempt.caller) }
        return visit
    }

    /// How many wrong passwords of an address are left for all edges.
    func learnFailures(left: Double, by caller: CallerAddress, now: NIODeadline = .now()) {
        self.state.withLock {
            $0.gate.learnFailures(left: left, by: caller, now: Double(now.uptimeNanoseconds) / 1e9)
        }
    }

    /// How many requests were let in that other edges are not told of yet, and of which limit; `nil` once there are none.
    func takeSpentRequests() -> (count: Int, limit: RateLimit)? { self.state.withLock { $0.gate.takeSpent() } }

    /// How many requests are left for all edges.
    func learnRequests(left: Double, now: NIODeadline = .now()) {
        self.state.withLock { $0.gate.learn(left: left, now: Double(now.uptimeNanoseconds) / 1e9) }
    }

    /// Other edges can't be told how many requests were let in.
    func divideRequests(among edges: Int) { self.state.withLock { $0.gate.divide(among: edges) } }

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

    // MARK: Counters

    /// Counts a visitor's request.
    package func recordRequest(now: Date = Date()) {
        self.requests.add(1, ordering: .relaxed)
        self.lastActiveSeconds.store(Int64(now.timeIntervalSince1970), ordering: .relaxed)
    }

    /// Counts a request that ended with an error that the edge made.
    ///
    /// - Parameter code: The error's code (docs/errors.md).
    package func recordError(_ code: String) {
        self.errors.withLock { $0[code, default: 0] += 1 }
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
        let errors = self.errors.withLock { $0 }
        return TunnelCounters(
            requests: self.requests.load(ordering: .relaxed),
            errors: errors.values.reduce(0, +),
            errorsByCode: errors,
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
