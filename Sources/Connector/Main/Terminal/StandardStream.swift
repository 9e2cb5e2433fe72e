// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The output of the program.
enum StandardStream {
    case output
    case error

    /// Writes a line at once, also into a pipe.
    func writeLine(_ line: String) {
        self.write(line + "\n")
    }

    /// Writes text at once and in one piece.
    ///
    /// Errors are ignored: a reader that exits, as `head` does, does not end the tunnel.
    func write(_ text: String) {
        let handle =
            switch self {
            case .output: FileHandle.standardOutput
            case .error: FileHandle.standardError
            }
        try? handle.write(contentsOf: Data(text.utf8))
    }
}
