// SPDX-License-Identifier: Apache-2.0

import NIOCore
import SystemErrors

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Why an address can't be listened on, in words.
package enum ListenReason {
    /// The reason, as the end of a sentence.
    package static func words(_ error: any Error) -> String {
        guard let error = error as? IOError else { return "it is no address of this machine" }
        return switch error.errnoCode {
        case EADDRINUSE: "another program listens there, perhaps another culvert"
        case EADDRNOTAVAIL, EAFNOSUPPORT: "it is no address of this machine"
        case EACCES, EPERM: "this user may not listen there, as on ports below 1024"
        default: error.systemReason
        }
    }
}
