// SPDX-License-Identifier: Apache-2.0
#if Redis

import Crypto

/// A script in Lua, which a server runs as one step.
package struct RedisScript: Sendable {
    /// Its text.
    package let text: String
    /// SHA-1 of it, by which a server that has seen the script knows it; it protects nothing.
    package let digest: String

    /// Makes a script.
    package init(_ text: String) {
        self.text = text
        self.digest = Insecure.SHA1.hash(data: Array(text.utf8)).map { byte in
            let digits = Array("0123456789abcdef")
            return "\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
        }
        .joined()
    }
}

#endif
