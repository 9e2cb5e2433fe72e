// SPDX-License-Identifier: Apache-2.0

import Crypto
import Protocol
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Whether a visitor's request may reach the tunnel.
enum VisitorDecision: Equatable, Sendable {
    /// It may.
    ///
    /// - Parameter stripsAuthorization: Whether `Authorization` was meant for the edge, and has to be taken out.
    case admit(stripsAuthorization: Bool)
    /// The visitor's address is not allowed: 403 `access_denied`.
    case addressDenied
    /// The visitor has to show credentials: 401 `login_required` with `WWW-Authenticate: Basic realm=…`.
    case credentialsRequired
    /// There are too many requests or wrong credentials: 429 `rate_limited` with `Retry-After`, in seconds.
    case rateLimited(retryAfter: Int)
}

/// How much password hashing the whole edge does, so that guessing can't take the event loops away from others.
final class HashingBudget: Sendable {
    private static let limit = RateLimit(20, perSeconds: 1)
    private let bucket: Mutex<TokenBucket?> = Mutex(nil)

    init() {}

    /// Whether another hash may be computed now.
    func take(now: Double) -> RateDecision {
        self.bucket.withLock { bucket in
            var current = bucket ?? TokenBucket(Self.limit, now: now)
            defer { bucket = current }
            return current.take(Self.limit, now: now)
        }
    }
}

/// The part of a policy that decides who may visit, made ready to be asked for every request.
struct VisitorRules: Sendable {
    private let allow: [AddressRange]
    private let deny: [AddressRange]
    private let hashes: [String: String]
    /// The requests per second of all visitors together.
    let rate: RateLimit?

    /// Makes the rules of a policy; its ranges have been validated, and one that can't be read denies everybody.
    init(_ policy: TunnelPolicy) {
        let everything = [AddressRange("0.0.0.0/0"), AddressRange("::/0")].compactMap { $0 }
        self.allow = policy.ipAllow.compactMap { AddressRange($0) }
        let deny = policy.ipDeny.map { AddressRange($0) }
        self.deny = deny.contains(nil) ? everything : deny.compactMap { $0 }
        self.hasAllowList = !policy.ipAllow.isEmpty
        self.hashes = Dictionary(
            policy.basicAuth.compactMap { credential in credential.passwordHash.map { (credential.username, $0) } },
            uniquingKeysWith: { first, _ in first }
        )
        self.asksForCredentials = !policy.basicAuth.isEmpty
        self.rate = policy.requestsPerSecond.map { RateLimit($0, perSeconds: 1) }
    }

    private let hasAllowList: Bool
    /// Whether visitors have to show credentials.
    let asksForCredentials: Bool

    /// Whether nobody is ever refused, which is so for most tunnels.
    var admitsEverybody: Bool {
        !self.hasAllowList && self.deny.isEmpty && !self.asksForCredentials && self.rate == nil
    }

    /// Whether an address may visit; an unknown one only where no list was given.
    func admits(_ address: IPAddress?) -> Bool {
        guard let address else { return !self.hasAllowList && self.deny.isEmpty }
        if self.deny.contains(where: { $0.contains(address) }) { return false }
        return !self.hasAllowList || self.allow.contains { $0.contains(address) }
    }

    /// The hash of a user's password.
    func hash(of username: String) -> String? { self.hashes[username] }
}

/// Lets visitors in by the tunnel's policy: address, credentials and rate, in this order.
struct VisitorGate: Sendable {
    private let rules: VisitorRules
    /// Wrong credentials by address.
    private var failures = BucketTable<CallerAddress>(RateLimit(10, perSeconds: 60), capacity: 2048)
    private var requests: TokenBucket?
    /// Credentials that were right, by their digest, so that not every request of a visitor is hashed slowly.
    private var known: Set<[UInt8]> = []

    /// Makes the gate of a tunnel.
    init(_ policy: TunnelPolicy) {
        self.rules = VisitorRules(policy)
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
        if let rate = self.rules.rate {
            var bucket = self.requests ?? TokenBucket(rate, now: now)
            let decision = bucket.take(rate, now: now)
            self.requests = bucket
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
        let digest = Array(SHA256.hash(data: Array(authorization[0].utf8)))
        if self.known.contains(digest) { return .admit(stripsAuthorization: true) }
        let tried = self.failures.peek(caller, now: now)
        guard tried.isAllowed else { return .rateLimited(retryAfter: max(1, tried.resetSeconds)) }
        let budget = hashing.take(now: now)
        guard budget.isAllowed else { return .rateLimited(retryAfter: 1) }
        // An unknown user costs the same work, so that names can't be told from the time that an answer takes.
        let hash = self.rules.hash(of: username) ?? Self.nobody
        guard PasswordHash.verify(password, hash: hash), self.rules.hash(of: username) != nil else {
            _ = self.failures.take(caller, now: now)
            return .credentialsRequired
        }
        if self.known.count >= 256 { self.known.removeAll() }
        self.known.insert(digest)
        return .admit(stripsAuthorization: true)
    }

    /// The hash that no password has: its work is what counts.
    private static let nobody =
        "pbkdf2-sha256$\(PasswordHash.iterations)$00$" + String(repeating: "00", count: SHA256.byteCount)

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
