// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import ControlAPI
import Foundation
import Program

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What a person is asked before webhooks are deleted that wait for a connector.
enum DeletionQuestion {
    /// What would be lost, as a sentence; `nil` if nothing would.
    static func sentence(of tunnel: String, _ inbox: InboxStatus) -> String? {
        let parts = [(inbox.waiting, "wait"), (inbox.dead, "could not be delivered")].filter { $0.0 > 0 }
        guard !parts.isEmpty else { return nil }
        let words = parts.map { count, what in
            "\(count) \(count == 1 ? "webhook" : "webhooks") that \(what == "wait" && count == 1 ? "waits" : what)"
        }
        return "The inbox of \(tunnel) holds \(words.joined(separator: " and ")), and goes with the tunnel."
    }

    /// Asks at the terminal.
    ///
    /// - Returns: Whether the answer is yes; `nil` where nobody can be asked.
    static func ask(_ sentence: String) -> Bool? {
        guard isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1 else { return nil }
        StandardStream.error.write(ShownText.stripped("\(sentence) Delete them? [y/N] "))
        let answer = readLine()?.trimmingCharacters(in: .whitespaces).lowercased()
        return answer == "y" || answer == "yes"
    }
}
