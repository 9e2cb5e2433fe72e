// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The name of a user of this machine, for what is told.
enum UserName {
    /// The name of a user, or else the number.
    static func of(_ user: uid_t) -> String {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var text = [CChar](repeating: 0, count: 16_384)
        return text.withUnsafeMutableBufferPointer { text in
            guard let start = text.baseAddress, getpwuid_r(user, &entry, start, text.count, &found) == 0,
                let name = found?.pointee.pw_name
            else { return "\(user)" }
            return String(cString: name)
        }
    }
}
