// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Dispatch
import NIOConcurrencyHelpers
import Program

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The program after `--`: it starts when its tunnel can be reached, and its end ends the run.
final class Companion: Sendable {
    private enum State {
        case waiting
        case running(pid_t)
        /// Ended, or never to be started.
        case over
    }

    private let words: [String]
    private let environment: [String: String]
    private let state = NIOLockedValueBox(State.waiting)
    private let endings: AsyncStream<Int32>
    private let ending: AsyncStream<Int32>.Continuation

    /// - Parameters:
    ///   - words: The program and its arguments, at least one.
    ///   - environment: The variables of this program. Those with its secrets are not handed on, and `CULVERT_URL` is
    ///     added.
    init(_ words: [String], environment: [String: String] = ProgramEnvironment.variables) {
        self.words = words
        var environment = environment
        for secret in ["CULVERT_API_KEY", "CULVERT_TOKEN"] { environment[secret] = nil }
        self.environment = environment
        (self.endings, self.ending) = AsyncStream.makeStream(of: Int32.self)
    }

    /// The exit code of the program, when it has ended.
    ///
    /// 128 and the number of the signal that ended it, as shells say; `nil` if it was never started.
    func end() async -> Int32? {
        for await code in self.endings { return code }
        return nil
    }

    /// Starts the program, the first time that it is called.
    ///
    /// - Parameter url: Where visitors reach the tunnel.
    /// - Returns: Which program could not be started and what the system said, without a full stop; `nil` if it runs.
    @discardableResult
    func start(url: String) -> String? {
        var environment = self.environment
        environment["CULVERT_URL"] = url
        let outcome = self.state.withLockedValue { state -> Result<pid_t, SpawnFailure>? in
            guard case .waiting = state else { return nil }
            let outcome = Self.spawn(self.words, environment)
            if case .success(let pid) = outcome { state = .running(pid) } else { state = .over }
            return outcome
        }
        switch outcome {
        case nil:
            return nil
        case .failure(let failure):
            // What shells say of a program that is not there, or is none.
            self.finish(failure.number == ENOENT ? 127 : 126)
            return "“\(self.words[0])” can't be started: \(String(cString: strerror(failure.number)))"
        case .success(let pid):
            DispatchQueue.global().async {
                var status: Int32 = 0
                while waitpid(pid, &status, 0) < 0, errno == EINTR {}
                self.state.withLockedValue { $0 = .over }
                self.finish(status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F)
            }
            return nil
        }
    }

    /// Passes a signal on.
    ///
    /// - Parameter isFromTerminal: Whether the terminal has sent it to the program as well.
    /// - Returns: Whether the program runs, and its end has to be waited for.
    func pass(_ signal: Int32, isFromTerminal: Bool = false) -> Bool {
        self.state.withLockedValue { state in
            switch state {
            case .running(let pid):
                if !isFromTerminal { kill(pid, signal) }
                return true
            case .waiting, .over:
                state = .over
                self.ending.finish()
                return false
            }
        }
    }

    private func finish(_ code: Int32) {
        self.ending.yield(code)
        self.ending.finish()
    }

    private struct SpawnFailure: Error {
        var number: Int32
    }

    /// Starts a program in this program's group, so that it has the terminal, too.
    private static func spawn(_ words: [String], _ environment: [String: String]) -> Result<pid_t, SpawnFailure> {
        #if canImport(Darwin)
        var attributes: posix_spawnattr_t?
        #else
        var attributes = posix_spawnattr_t()
        #endif
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // What this program traps or ignores is its own affair.
        var (trapped, none) = (sigset_t(), sigset_t())
        sigemptyset(&trapped)
        sigemptyset(&none)
        for number in [SIGINT, SIGTERM, SIGPIPE] { sigaddset(&trapped, number) }
        posix_spawnattr_setsigdefault(&attributes, &trapped)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETSIGMASK))
        var arguments = words.map { strdup($0) }
        var variables = environment.sorted { $0.key < $1.key }.map { strdup("\($0.key)=\($0.value)") }
        defer { for text in arguments + variables { free(text) } }
        arguments.append(nil)
        variables.append(nil)
        var pid: pid_t = 0
        let number = posix_spawnp(&pid, words[0], nil, &attributes, arguments, variables)
        return number == 0 ? .success(pid) : .failure(SpawnFailure(number: number))
    }
}
