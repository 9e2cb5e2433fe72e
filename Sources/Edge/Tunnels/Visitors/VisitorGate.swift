// SPDX-License-Identifier: Apache-2.0

import ControlAPI

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Whether a visitor's request may reach the tunnel.
package enum VisitorDecision: Equatable, Sendable {
    /// It may.
    ///
    /// - Parameter stripsAuthorization: Whether `Authorization` was meant for the edge, and has to be taken out.
    case admit(stripsAuthorization: Bool)
    /// The visitor's address is not allowed: 403 `access_denied`.
    case addressDenied
    /// The visitor has to show credentials: 401 `login_required` with `WWW-Authenticate: Basic realm=…`.
    case credentialsRequired
    /// The visitor's password has to be compared with a hash first, elsewhere than on an event loop; then
    /// ``VisitorGate/conclude(_:isRight:now:)`` decides.
    case compare(PasswordAttempt)
    /// There are too many requests: 429 `rate_limited` with `Retry-After`, in seconds.
    case rateLimited(retryAfter: Int)
    /// There are too many wrong credentials of one address: the same, with the reason.
    case tooManyWrongCredentials(retryAfter: Int)
}

/// Lets visitors in by the tunnel's policy: address, credentials and rate, in this order.
struct VisitorGate: Sendable {
    /// Wrong credentials of an address.
    static let failureLimit = RateLimit(10, perSeconds: 60)

    private var rules: VisitorRules
    private let tunnel: String
    private let owner: String
    /// Wrong credentials by address.
    private var failures = BucketTable<CallerAddress>(Self.failureLimit, capacity: 2048)
    private var requests = SharedBucket()
    private var known = KnownCredentials()

    /// Makes the gate of a tunnel.
    ///
    /// - Parameters:
    ///   - policy: Its rules.
    ///   - tunnel: The tunnel, for its share of the hashing.
    ///   - owner: The tunnel's owner, for the same.
    init(_ policy: TunnelPolicy, tunnel: String = "", owner: String = "") {
        self.rules = VisitorRules(policy)
        self.tunnel = tunnel
        self.owner = owner
    }

    /// Changes the rules; who showed a password that they still have is not asked to be hashed again, and who guessed
    /// wrong has no new tries.
    mutating func adopt(_ policy: TunnelPolicy) {
        let rate = self.rules.rate
        self.rules = VisitorRules(policy)
        self.known.keepOnly(self.rules)
        if self.rules.rate != rate { self.requests.restart() }
    }

    /// Whether nobody is ever refused.
    var admitsEverybody: Bool { self.rules.admitsEverybody }

    /// Decides on a request.
    ///
    /// - Parameters:
    ///   - address: The trusted address of the visitor.
    ///   - authorization: The values of the request's `Authorization` fields.
    ///   - hashing: How much hashing the edge does.
    ///   - now: Seconds of a clock that does not go back.
    mutating func admit(
        address: IPAddress?,
        authorization: [String],
        hashing: HashingBudget,
        now: Double
    ) -> VisitorDecision {
        guard self.rules.admits(address) else { return .addressDenied }
        if self.rules.asksForCredentials {
            let caller = CallerAddress(address)
            let decision = self.check(authorization, caller: caller, hashing: hashing, now: now)
            guard decision == .admit(stripsAuthorization: true) else { return decision }
        }
        return self.count(now: now)
    }

    /// Decides once a password has been compared.
    ///
    /// - Parameters:
    ///   - attempt: What ``admit(address:authorization:hashing:now:)`` wanted to be compared.
    ///   - isRight: Whether it had the hash.
    ///   - now: Seconds of a clock that does not go back.
    mutating func conclude(_ attempt: PasswordAttempt, isRight: Bool, now: Double) -> VisitorDecision {
        // In the meantime the policy may have become another one.
        guard isRight, self.rules.hash(of: attempt.username) == attempt.hash else { return .credentialsRequired }
        self.failures.giveBack(attempt.caller, now: now)
        self.known.insert(attempt)
        return self.count(now: now)
    }

    // MARK: With other edges

    /// Whether somebody has to begin to tell other edges how many requests were let in.
    mutating func beginTelling() -> Bool { self.rules.rate != nil && self.requests.beginTelling() }

    /// How many requests are to be told, and of which limit; `nil` once there are none.
    mutating func takeSpent() -> (count: Int, limit: RateLimit)? {
        guard let count = self.requests.takeSpent(), let rate = self.rules.rate else { return nil }
        return (count, rate)
    }

    /// How many requests are left for all edges.
    mutating func learn(left: Double, now: Double) { self.requests.learn(left: left, now: now) }

    /// How many wrong credentials of an address are left for all edges.
    mutating func learnFailures(left: Double, by caller: CallerAddress, now: Double) {
        self.failures.lower(caller, to: left, now: now)
    }

    /// Other edges can't be told.
    mutating func divide(among edges: Int) { self.requests.divide(among: edges) }

    private mutating func count(now: Double) -> VisitorDecision {
        if let rate = self.rules.rate {
            let decision = self.requests.take(rate, now: now)
            guard decision.isAllowed else { return .rateLimited(retryAfter: max(1, decision.resetSeconds)) }
        }
        return .admit(stripsAuthorization: self.rules.asksForCredentials)
    }

    private mutating func check(
        _ authorization: [String],
        caller: CallerAddress,
        hashing: HashingBudget,
        now: Double
    ) -> VisitorDecision {
        guard authorization.count == 1, let (username, password) = Self.basicCredentials(authorization[0]) else {
            return .credentialsRequired
        }
        let digest = self.known.digest(username: username, password: password)
        if self.known.contains(digest) { return .admit(stripsAuthorization: true) }
        // Counted as wrong before it is known to be, so that many at once are no way around the limit.
        let tried = self.failures.take(caller, now: now)
        guard tried.isAllowed else { return .tooManyWrongCredentials(retryAfter: max(1, tried.resetSeconds)) }
        guard hashing.take(owner: self.owner, tunnel: self.tunnel, now: now).isAllowed else {
            self.failures.giveBack(caller, now: now)
            return .rateLimited(retryAfter: 1)
        }
        return .compare(
            PasswordAttempt(
                username: username,
                password: password,
                hash: self.rules.hash(of: username) ?? PasswordAttempt.nobody,
                digest: digest,
                caller: caller
            )
        )
    }

    /// User name and password of `Authorization: Basic` (RFC 7617 §2).
    static func basicCredentials(_ value: String) -> (username: String, password: [UInt8])? {
        let scheme = "basic "
        guard value.prefix(scheme.count).lowercased() == scheme else { return nil }
        let token = value.dropFirst(scheme.count).trimmingPrefix { $0 == " " }
        guard let bytes = Data(base64Encoded: String(token)).map({ Array($0) }),
            let colon = bytes.firstIndex(of: UInt8(ascii: ":")),
            let username = String(validating: bytes[..<colon], as: UTF8.self)
        else { return nil }
        return (username, Array(bytes[(colon + 1)...]))
    }
}
