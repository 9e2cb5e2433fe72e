// SPDX-License-Identifier: Apache-2.0

import Foundation
import Program

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A terminal: its size and modes, and whether the program may write to it.
struct TerminalDevice: Sendable {
    private let descriptor: Int32

    /// The terminal on a standard stream; on standard output if nothing else is said.
    init(_ stream: StandardStream = .output) {
        self.descriptor = stream == .output ? STDOUT_FILENO : STDERR_FILENO
    }

    /// The width of the window; `nil` if the stream is no terminal.
    var columns: Int? {
        isatty(self.descriptor) == 1 ? self.size.columns : nil
    }

    /// The size of the window; 80 by 24 if the terminal does not report it.
    var size: TerminalSize {
        var window = winsize()
        guard ioctl(self.descriptor, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0, window.ws_row > 0 else {
            return TerminalSize(columns: 80, rows: 24)
        }
        return TerminalSize(columns: Int(window.ws_col), rows: Int(window.ws_row))
    }

    /// Whether the program is in the foreground; in the background it must not draw.
    var isForeground: Bool {
        tcgetpgrp(self.descriptor) == getpgrp()
    }

    /// Whether the terminal accepts output now, which it does not after Ctrl-S.
    var isWritable: Bool {
        var question = pollfd(fd: self.descriptor, events: Int16(POLLOUT), revents: 0)
        return poll(&question, 1, 0) > 0
    }

    /// Lets output that Ctrl-S held flow again.
    func resumeOutput() {
        // TCOON resumes only output that TCOOFF has stopped.
        tcflow(self.descriptor, TCOOFF)
        tcflow(self.descriptor, TCOON)
    }

    /// Writes a text in one piece, ahead of log lines that wait for another reader.
    func write(_ text: String) {
        DescriptorOutput.write(text, to: self.descriptor)
    }

    /// Turns off the echo of keys, which would break the panel.
    ///
    /// - Returns: The modes before.
    func muteKeys() -> termios? {
        var modes = termios()
        guard tcgetattr(self.descriptor, &modes) == 0 else { return nil }
        let before = modes
        modes.c_lflag &= ~tcflag_t(ECHO | ECHONL)
        guard tcsetattr(self.descriptor, TCSANOW, &modes) == 0 else { return nil }
        return before
    }

    /// Sets the modes as they were.
    func restore(_ modes: termios) {
        var modes = modes
        tcsetattr(self.descriptor, TCSANOW, &modes)
    }
}

/// What the terminal can show, according to the environment.
struct TerminalTraits: Equatable, Sendable {
    /// Whether lines can be drawn over.
    var canDraw: Bool
    var isColoured: Bool
    /// Whether more than ASCII can be shown.
    var isUnicode: Bool

    /// Reads the environment.
    ///
    /// - Parameters:
    ///   - environment: The variables.
    ///   - isTerminal: Whether standard output is a terminal.
    init(environment: [String: String], isTerminal: Bool) {
        let kind = environment["TERM"] ?? ""
        self.canDraw = isTerminal && !kind.isEmpty && kind != "dumb"
        // https://no-color.org: set, and not empty.
        self.isColoured = self.canDraw && (environment["NO_COLOR"] ?? "").isEmpty
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
        // Where no locale is set, as in a container, the terminal is taken to support Unicode.
        self.isUnicode = locale.map { $0.lowercased().replacing("-", with: "").contains("utf8") } ?? true
    }
}
