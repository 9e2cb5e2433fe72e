// SPDX-License-Identifier: Apache-2.0

import Crypto
import Synchronization

/// A visitor's credentials on their way to be compared.
package struct PasswordAttempt: Equatable, Sendable {
    /// The user name that was sent.
    package let username: String
    /// The password that was sent.
    package let password: [UInt8]
    /// What it is compared with; for a user that there isn't, a hash that no password has.
    package let hash: String
    /// Of both, under which it is remembered when it was right.
    let digest: [UInt8]
    /// Where it comes from.
    let caller: CallerAddress

    /// Whether the password has the hash: tens of milliseconds of work, for a user that there isn't, too, so that names
    /// can't be told from the time that an answer takes.
    package func isRight() -> Bool {
        PasswordHash.verify(self.password, hash: self.hash)
    }

    /// The hash that no password has: its work is what counts.
    package static let nobody =
        "pbkdf2-sha256$\(PasswordHash.iterations)$00$" + String(repeating: "00", count: SHA256.byteCount)
}

/// How much password hashing the whole edge does, so that guessing can't take the processors away from others.
///
/// Half of it is kept for tunnels that hash little, and half of that for those whose owners hash little as well: tunnels
/// whose passwords are guessed at all the time share the rest, and lock nobody else's visitors out.
package final class HashingBudget: Sendable {
    private static let limit = RateLimit(20, perSeconds: 1)
    /// What an owner, and a tunnel, may use before others go first.
    private static let ownShare = RateLimit(4, perSeconds: 2)
    /// Owners and tunnels that are remembered.
    private static let capacity = 4_096

    private struct State {
        var bucket: TokenBucket?
        var owners = BucketTable<String>(HashingBudget.ownShare, capacity: HashingBudget.capacity)
        var tunnels = BucketTable<String>(HashingBudget.ownShare, capacity: HashingBudget.capacity)
    }

    private let state = Mutex(State())

    package init() {}

    /// Whether another hash may be computed now.
    ///
    /// - Parameters:
    ///   - owner: The owner of the tunnel.
    ///   - tunnel: The tunnel.
    ///   - now: Seconds of a clock that does not go back.
    func take(owner: String, tunnel: String, now: Double) -> RateDecision {
        self.state.withLock { state in
            var current = state.bucket ?? TokenBucket(Self.limit, now: now)
            defer { state.bucket = current }
            let ownerIsModest = state.owners.peek(owner, now: now).isAllowed
            let tunnelIsModest = state.tunnels.peek(tunnel, now: now).isAllowed
            let kept = tunnelIsModest ? (ownerIsModest ? 0 : Self.limit.burst / 4) : Self.limit.burst / 2
            guard Double(current.peek(Self.limit, now: now).remaining) > kept else {
                return RateDecision(isAllowed: false, remaining: 0, resetSeconds: 1)
            }
            let decision = current.take(Self.limit, now: now)
            if decision.isAllowed {
                _ = state.owners.take(owner, now: now)
                _ = state.tunnels.take(tunnel, now: now)
            }
            return decision
        }
    }
}
