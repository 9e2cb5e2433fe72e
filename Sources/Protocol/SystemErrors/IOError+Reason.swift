// SPDX-License-Identifier: Apache-2.0

import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

extension IOError {
    /// What the system says went wrong, as the middle of a sentence.
    package var systemReason: String {
        let text = String(cString: strerror(self.errnoCode))
        return text.prefix(1).lowercased() + text.dropFirst()
    }
}
