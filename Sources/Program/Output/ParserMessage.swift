// SPDX-License-Identifier: Apache-2.0

/// What the parser of arguments says.
package enum ParserMessage {
    /// A failure, under the name that all others of a program bear; `nil` for what is none, as help.
    ///
    /// - Parameters:
    ///   - message: All that the parser says.
    ///   - program: The name of the program.
    package static func report(_ message: String, of program: String) -> String? {
        let title = "Error: "
        return message.hasPrefix(title) ? "\(program): \(message.dropFirst(title.count))" : nil
    }
}
