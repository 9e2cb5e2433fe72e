// SPDX-License-Identifier: Apache-2.0

import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A terminal: its size, its modes, and who may write to it.
struct TerminalDevice: Sendable {
    private let descriptor: Int32

    /// The terminal on a standard stream; on standard output if nothing else is said.
    init(_ stream: StandardStream = .output) {
        self.descriptor = stream == .output ? STDOUT_FILENO : STDERR_FILENO
    }

    /// How wide the window is; nothing if the stream goes elsewhere.
    var columns: Int? {
        isatty(self.descriptor) == 1 ? self.size.columns : nil
    }

    /// The size of the window; a usual one if the terminal does not know.
    var size: TerminalSize {
        var window = winsize()
        guard ioctl(self.descriptor, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0, window.ws_row > 0 else {
            return TerminalSize(columns: 80, rows: 24)
        }
        return TerminalSize(columns: Int(window.ws_col), rows: Int(window.ws_row))
    }

    /// Whether the program is in the foreground of the terminal; in the background it must leave it alone.
    var isForeground: Bool {
        tcgetpgrp(self.descriptor) == getpgrp()
    }

    /// Whether something can be written now: not while Ctrl-S holds the output, or nobody reads it.
    var isWritable: Bool {
        var question = pollfd(fd: self.descriptor, events: Int16(POLLOUT), revents: 0)
        return poll(&question, 1, 0) > 0
    }

    /// Lets output that Ctrl-S held flow again.
    func resumeOutput() {
        // Only a stop by this very call can be undone by it.
        tcflow(self.descriptor, TCOOFF)
        tcflow(self.descriptor, TCOON)
    }

    /// Writes a text in one piece.
    func write(_ text: String) {
        StandardStream.output.write(text)
    }

    /// Switches the echo of keys off, which would tear the panel.
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

/// What the environment says of the terminal.
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
        // https://no-color.org: set, and not to nothing.
        self.isColoured = self.canDraw && (environment["NO_COLOR"] ?? "").isEmpty
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
        // Where no locale is set, as in a container, the terminal at the other end is still one of today.
        self.isUnicode = locale.map { $0.lowercased().replacing("-", with: "").contains("utf8") } ?? true
    }
}
