// SPDX-License-Identifier: Apache-2.0

import NIOCore
import SystemErrors

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

extension EdgeServer {
    /// A listening address that can't be had.
    struct ListenFailure: Error, CustomStringConvertible {
        var address: ListenAddress
        /// The key of the setting that names the address: `admin.listen`.
        var setting: String
        var cause: any Error

        var description: String {
            "can't listen on \(self.address), which is \(self.setting): \(self.why). Choose another address: "
                + "\(self.setting) in the file of settings, or --\(self.setting.replacing(".", with: "-"))."
        }

        private var why: String {
            if self.cause is SocketAddressError.UnknownHost {
                return "\(self.address.host) is no address of this machine"
            }
            guard let cause = self.cause as? IOError else { return "\(self.cause)" }
            // The admin listener has a default that a second edge of the machine meets first.
            guard cause.errnoCode != EADDRINUSE else { return "it is in use, perhaps by another edge of this machine" }
            return cause.systemReason
        }
    }
}
