// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The file descriptors that a program begins with.
package enum OpenFiles {
    /// As many as a program of ours can use; beyond it some systems have no limit at all.
    private static let useful: rlim_t = 1_048_576

    /// Makes the descriptors fit for a server; call it before anything is opened.
    package static func prepare() {
        self.occupyStandardStreams()
        self.raiseLimit()
    }

    /// Opens `/dev/null` for each standard stream that is closed: the next socket would get its number, and the log.
    package static func occupyStandardStreams() {
        for descriptor in Int32(0)...2 where fcntl(descriptor, F_GETFD) == -1 {
            _ = open("/dev/null", O_RDWR)
        }
    }

    /// Raises the soft limit of open files to the hard one, as shells and systemd leave it low for programs that use
    /// `select`.
    ///
    /// - Returns: The limit that holds now.
    @discardableResult
    package static func raiseLimit() -> Int {
        var limit = rlimit()
        guard getrlimit(.openFiles, &limit) == 0 else { return 0 }
        let wanted = min(limit.rlim_max, self.useful)
        guard limit.rlim_cur < wanted else { return Int(clamping: limit.rlim_cur) }
        var raised = limit
        raised.rlim_cur = wanted
        if setrlimit(.openFiles, &raised) == 0 { return Int(clamping: wanted) }
        #if canImport(Darwin)
        // macOS names no hard limit, and refuses more than this.
        raised.rlim_cur = min(wanted, rlim_t(OPEN_MAX))
        if raised.rlim_cur > limit.rlim_cur, setrlimit(.openFiles, &raised) == 0 {
            return Int(clamping: raised.rlim_cur)
        }
        #endif
        return Int(clamping: limit.rlim_cur)
    }
}

#if canImport(Glibc)
extension __rlimit_resource_t {
    fileprivate static var openFiles: Self { Self(RLIMIT_NOFILE.rawValue) }
}
#else
extension Int32 {
    fileprivate static var openFiles: Self { Int32(RLIMIT_NOFILE) }
}
#endif
