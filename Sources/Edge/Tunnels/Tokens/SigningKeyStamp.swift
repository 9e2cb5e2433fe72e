// SPDX-License-Identifier: Apache-2.0

import Crypto

/// What tells one signing key from another, also from one of the same name, without being it.
package struct SigningKeyStamp: Hashable, Sendable {
    private let digest: [UInt8]

    /// Makes the stamp of a key from its name and its bytes.
    package init(kid: String, bytes: [UInt8]) {
        var hash = SHA256()
        hash.update(data: Array(kid.utf8))
        hash.update(data: [0])
        hash.update(data: bytes)
        self.digest = Array(hash.finalize())
    }
}
