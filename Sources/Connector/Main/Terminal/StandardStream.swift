// SPDX-License-Identifier: Apache-2.0

import Foundation
import Program

/// The output of the program.
enum StandardStream {
    case output
    case error

    /// Writes a line at once, also into a pipe.
    func writeLine(_ line: String) {
        self.write(line + "\n")
    }

    /// Writes text in one piece, and waits for whoever reads it: for what a command prints.
    ///
    /// Errors are ignored: a reader that exits, as `head` does, does not end the tunnel.
    func write(_ text: String) {
        QueuedLines.flush()
        DescriptorOutput.write(text, to: self == .output ? 1 : 2)
    }

    /// Writes bytes at once; errors are ignored as those of text.
    func write(_ bytes: Data) {
        QueuedLines.flush()
        _ = bytes.withUnsafeBytes { DescriptorOutput.write($0, to: self == .output ? 1 : 2) }
    }

    /// Writes a line from a run, which goes on whether anybody reads it or not.
    ///
    /// - Parameters:
    ///   - line: The line, with its line feed.
    ///   - notice: Makes the line that tells of dropped ones; `nil` leaves it as it is.
    func send(_ line: String, notice: LineWriter.Notice? = nil) {
        (self == .output ? QueuedLines.output : QueuedLines.error).write(line, notice: notice)
    }
}
