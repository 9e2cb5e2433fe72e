// SPDX-License-Identifier: Apache-2.0

import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A line that is typed at the terminal without being shown.
enum HiddenLine: Equatable {
    case typed(String)
    /// Ctrl-C.
    case interrupted

    private static let interrupt: UInt8 = 0x03
    private static let suspend: UInt8 = 0x1A
    /// As long as a line of a terminal can be.
    private static let longest = 4_096

    /// Asks for the line.
    ///
    /// Meanwhile Ctrl-C and Ctrl-Z end the line instead of the program, which could not restore the terminal otherwise.
    ///
    /// - Parameter question: What is printed in front of the line, once typing is safe.
    /// - Returns: What was typed; an empty line at the end of the input.
    static func ask(_ question: String) -> HiddenLine {
        var shown = termios()
        guard tcgetattr(STDIN_FILENO, &shown) == 0 else { return .typed(readLine() ?? "") }
        while true {
            Self.mute(shown)
            StandardStream.error.write(question)
            let bytes = Self.readBytes()
            // Discards input that was not read, so that it does not reach the shell.
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown)
            StandardStream.error.write("\n")
            switch bytes.last {
            case Self.interrupt: return .interrupted
            // Unlike kill(), raise() stops this thread before it returns; when it returns, the program is in the
            // foreground.
            case Self.suspend: raise(SIGSTOP)
            default: return .typed(String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
            }
        }
    }

    private static func mute(_ shown: termios) {
        var modes = shown
        modes.c_lflag &= ~tcflag_t(ECHO | ECHONL | ISIG)
        withUnsafeMutableBytes(of: &modes.c_cc) { characters in
            characters[Int(VEOL)] = Self.interrupt
            characters[Int(VEOL2)] = Self.suspend
        }
        // Discards what was typed before the question.
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &modes)
    }

    private static func readBytes() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Self.longest) { buffer, count in
            var length: Int
            repeat {
                length = read(STDIN_FILENO, buffer.baseAddress, Self.longest)
            } while length < 0 && errno == EINTR
            count = max(0, length)
        }
    }
}
