// SPDX-License-Identifier: Apache-2.0
import ControlAPI

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
