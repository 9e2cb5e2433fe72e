// SPDX-License-Identifier: Apache-2.0

import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A child of the test run, by `posix_spawn`; killed and waited for when the test lets go of it.
///
/// Foundation's `Process` keeps three descriptors of each child for as long as the run lasts, and reads past the end of
/// its list of them when there are more than some thirteen hundred.
final class ChildProcess {
    /// How a program ended.
    enum End: Equatable, CustomStringConvertible {
        case exited(Int32)
        case signalled(Int32)

        var description: String {
            switch self {
            case .exited(let code): "exit code \(code)"
            case .signalled(let signal): "signal \(signal)"
            }
        }

        /// Reads what `waitpid` gives.
        init(status: Int32) {
            let signal = status & 0x7F
            self = signal == 0 ? .exited((status >> 8) & 0xFF) : .signalled(signal)
        }
    }

    let identifier: pid_t
    private var reaped: End?

    /// Starts a program that reads nothing.
    ///
    /// - Parameters:
    ///   - path: The program.
    ///   - environment: All of its variables.
    ///   - output: The file that gets its standard output, from the beginning.
    ///   - errors: The same for its standard error.
    init(
        _ path: String,
        _ arguments: [String],
        environment: [String: String],
        output: String,
        errors: String
    ) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT, 0o600)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors, O_WRONLY | O_CREAT, 0o600)
        // A program that got a test's listening socket would keep its port after the test has closed it.
        try Self.closeOthers(&actions)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // Signals that the test run blocks or ignores mean to the program what they mean to any.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM, SIGCHLD] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP
        posix_spawnattr_setflags(&attributes, Int16(flags))

        var identifier = pid_t()
        let failure = Self.withCStrings([path] + arguments) { argv in
            Self.withCStrings(environment.map { "\($0.key)=\($0.value)" }) { variables in
                posix_spawn(&identifier, path, &actions, &attributes, argv, variables)
            }
        }
        guard failure == 0 else {
            throw HarnessFailure("\(path) can't be started: \(String(cString: strerror(failure)))")
        }
        self.identifier = identifier
    }

    deinit {
        guard self.end == nil else { return }
        kill(self.identifier, SIGKILL)
        var status: Int32 = 0
        while waitpid(self.identifier, &status, 0) < 0, errno == EINTR {}
    }

    /// How the program ended; nothing while it runs.
    var end: End? {
        if let reaped { return reaped }
        var status: Int32 = 0
        guard waitpid(self.identifier, &status, WNOHANG) == self.identifier else { return nil }
        self.reaped = End(status: status)
        return self.reaped
    }

    /// Has the program close everything that the test run has open, but for the first three.
    private static func closeOthers(_ actions: inout posix_spawn_file_actions_t) throws {
        #if os(Linux)
        // In the C library since glibc 2.34, but not among what Swift imports from it.
        typealias CloseFrom = @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, CInt) -> CInt
        guard let symbol = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np") else {
            throw HarnessFailure("the C library can't close a child's descriptors: glibc 2.34 or newer is needed")
        }
        let closeFrom = unsafeBitCast(symbol, to: CloseFrom.self)
        guard closeFrom(&actions, STDERR_FILENO + 1) == 0 else { throw HarnessFailure("posix_spawn: no memory") }
        #endif
    }

    /// Lends an array of C strings that ends with a null pointer.
    private static func withCStrings<Result>(
        _ strings: [String],
        _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let copies = strings.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        return body(copies + [nil])
    }
}
