// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels
import NIOCore
import Synchronization

/// The limits of the control API.
package final class APILimits: Sendable {
    /// How many calls are allowed.
    package struct Settings: Equatable, Sendable {
        /// Calls of one API key.
        package var calls = RateLimit(10, perSeconds: 1)
        /// Failed logins from one address, and wrong one-time codes of one key.
        package var failures = RateLimit(5, perSeconds: 60)
        /// Tunnels that one API key makes.
        package var creations = RateLimit(30, perSeconds: 3600)
        /// The most callers that each table remembers.
        var tableCapacity = 16_384

        /// Sets how many calls are allowed.
        package init(
            calls: RateLimit = RateLimit(10, perSeconds: 1),
            failures: RateLimit = RateLimit(5, perSeconds: 60),
            creations: RateLimit = RateLimit(30, perSeconds: 3600),
            tableCapacity: Int = 16_384
        ) {
            self.calls = calls
            self.failures = failures
            self.creations = creations
            self.tableCapacity = tableCapacity
        }
    }

    private struct State {
        var calls: BucketTable<String>
        var failures: BucketTable<CallerAddress>
        var wrongCodes: BucketTable<String>
        var creations: BucketTable<String>
        /// What other edges are told of strangers.
        var told: BucketTable<String>

        init(_ settings: Settings) {
            self.calls = BucketTable(settings.calls, capacity: settings.tableCapacity)
            self.failures = BucketTable(settings.failures, capacity: settings.tableCapacity)
            self.wrongCodes = BucketTable(settings.failures, capacity: settings.tableCapacity)
            self.creations = BucketTable(settings.creations, capacity: settings.tableCapacity)
            self.told = BucketTable(APILimits.toldRate, capacity: 2)
        }
    }

    private func rate(of limit: APILimit) -> RateLimit {
        self.state.withLock { state in
            switch limit {
            case .calls: state.calls.limit
            case .logins: state.failures.limit
            case .codes: state.wrongCodes.limit
            case .creations: state.creations.limit
            }
        }
    }

    /// The value of `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers §3): how much in how many seconds.
    func policyField(of limit: APILimit) -> String {
        let rate = self.rate(of: limit)
        let seconds = max(1, Int((rate.burst / rate.perSecond).rounded()))
        return "\"\(limit.rawValue)\";q=\(Int(rate.burst));w=\(seconds)"
    }

    private let state: Mutex<State>
    private let directory: (any TunnelDirectory)?
    private let edges: @Sendable () -> Int
    private let now: @Sendable () -> Double

    /// Makes the limits.
    ///
    /// - Parameters:
    ///   - settings: How many calls are allowed.
    ///   - directory: Where what was used up is known to other edges, and after a restart.
    ///   - edges: How many edges there were when the directory was last heard: while it is away each has its share.
    ///   - now: A clock that does not go back, in seconds.
    package init(
        _ settings: Settings = Settings(),
        directory: (any TunnelDirectory)? = nil,
        edges: @escaping @Sendable () -> Int = { 1 },
        now: @escaping @Sendable () -> Double = APILimits.uptime
    ) {
        self.state = Mutex(State(settings))
        self.directory = directory
        self.edges = edges
        self.now = now
    }

    /// Counts what a key does, together with other edges if there is a directory; its share while that is away.
    func decide(_ limit: APILimit, by keyName: String) async -> RateDecision {
        let rate = self.rate(of: limit)
        if let directory, directory.isUp,
            let grant = try? await directory.take(1, from: "\(limit.rawValue):\(keyName)", limit: rate)
        {
            return RateDecision(isAllowed: grant.granted > 0, left: grant.left, of: rate)
        }
        let edges = self.directory == nil ? 1 : self.edges()
        switch limit {
        case .calls: return self.call(by: keyName, among: edges)
        case .codes: return self.tryCode(of: keyName, among: edges)
        case .creations, .logins: return self.creation(by: keyName, among: edges)
        }
    }

    /// How many wrong keys a second the directory is told of: anybody may send them from many addresses, and what strangers
    /// send is not to fill what others stand on.
    private static let toldRate = RateLimit(200, perSeconds: 1)

    /// Counts a wrong key of an address, together with other edges if there is a directory.
    ///
    /// What is counted here comes first, so that an address that is refused here costs the directory nothing.
    func wrongKey(from address: SocketAddress?) async -> RateDecision {
        let now = self.now()
        let isAlone = self.directory?.isUp == false
        let edges = isAlone ? self.edges() : 1
        let (decision, isTold) = self.state.withLock { state -> (RateDecision, Bool) in
            let decision = state.failures.take(CallerAddress(IPAddress(address)), now: now, among: edges)
            guard decision.isAllowed, self.directory != nil, !isAlone else { return (decision, false) }
            return (decision, state.told.take("strangers", now: now).isAllowed)
        }
        let rate = self.rate(of: .logins)
        let bucket = "\(APILimit.logins.rawValue):\(CallerAddress(IPAddress(address)))"
        guard isTold, let grant = try? await self.directory?.take(1, from: bucket, limit: rate) else { return decision }
        return RateDecision(isAllowed: grant.granted > 0, left: grant.left, of: rate)
    }

    /// Takes back what ``decide(_:by:)`` counted of a code, since it was right.
    func giveBackCode(of keyName: String) async {
        if let directory, directory.isUp {
            let rate = self.rate(of: .codes)
            _ = try? await directory.take(-1, from: "\(APILimit.codes.rawValue):\(keyName)", limit: rate)
        }
        self.rightCode(of: keyName)
    }

    /// Takes other limits instead; every bucket is full again.
    package func replace(with settings: Settings) {
        self.state.withLock { $0 = State(settings) }
    }

    /// Counts a call of a key.
    package func call(by keyName: String, among edges: Int = 1) -> RateDecision {
        let now = self.now()
        return self.state.withLock { $0.calls.take(keyName, now: now, among: edges) }
    }

    /// Counts a failed login from an address; once refused, the caller is told to slow down instead.
    package func failure(from address: SocketAddress?) -> RateDecision {
        let now = self.now()
        return self.state.withLock { $0.failures.take(CallerAddress(IPAddress(address)), now: now) }
    }

    /// Whether another one-time code of a key may be looked at.
    ///
    /// It is counted as wrong before it is known to be, so that many at once are no way around the limit.
    func tryCode(of keyName: String, among edges: Int = 1) -> RateDecision {
        let now = self.now()
        return self.state.withLock { $0.wrongCodes.take(keyName, now: now, among: edges) }
    }

    /// Takes back what ``tryCode(of:)`` counted, since the code was right.
    func rightCode(of keyName: String) {
        let now = self.now()
        self.state.withLock { $0.wrongCodes.giveBack(keyName, now: now) }
    }

    /// Counts the making of a tunnel.
    func creation(by keyName: String, among edges: Int = 1) -> RateDecision {
        let now = self.now()
        return self.state.withLock { $0.creations.take(keyName, now: now, among: edges) }
    }

    /// Takes back what ``decide(_:by:)`` counted of a new tunnel, since the tunnel is gone.
    func giveBackCreation(of keyName: String) async {
        if let directory, directory.isUp {
            let rate = self.rate(of: .creations)
            _ = try? await directory.take(-1, from: "\(APILimit.creations.rawValue):\(keyName)", limit: rate)
        }
        let now = self.now()
        self.state.withLock { $0.creations.giveBack(keyName, now: now) }
    }

    /// The callers that are remembered, for a test of the bound.
    package var rememberedCallers: Int {
        self.state.withLock { $0.calls.count + $0.failures.count + $0.wrongCodes.count + $0.creations.count }
    }

    private static func uptime() -> Double {
        Double(NIODeadline.now().uptimeNanoseconds) / 1e9
    }
}
