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
    /// Of the whole field, under which it is remembered when it was right.
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
package final class HashingBudget: Sendable {
    private static let limit = RateLimit(20, perSeconds: 1)
    private let bucket: Mutex<TokenBucket?> = Mutex(nil)

    package init() {}

    /// Whether another hash may be computed now.
    func take(now: Double) -> RateDecision {
        self.bucket.withLock { bucket in
            var current = bucket ?? TokenBucket(Self.limit, now: now)
            defer { bucket = current }
            return current.take(Self.limit, now: now)
        }
    }
}
