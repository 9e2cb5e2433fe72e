// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
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
    /// What is to be deleted.
    enum Subject {
        case tunnel
        case inbox
    }

    /// Asks about webhooks that were accepted, and that nobody has got yet: they can't be had back.
    ///
    /// - Parameters:
    ///   - tunnel: Whose inbox holds them.
    ///   - subject: What is to be deleted.
    ///   - control: How the edge is reached.
    /// - Throws: ``CommandFailure`` where nobody can be asked; an exit code where the answer is no.
    static func settle(of tunnel: String, deleting subject: Subject, _ control: ControlOptions) async throws {
        let inbox = try await control.read {
            client async throws(EdgeFailure) in try await client.inboxIfAny(of: tunnel)
        }
        guard let inbox, let sentence = Self.sentence(of: tunnel, inbox, deleting: subject) else { return }
        guard control.logFormat != .json, let isWanted = Self.ask(sentence) else {
            let them = subject == .tunnel ? "them, too" : "them"
            throw CommandFailure(.usage, "\(sentence) Nothing was deleted: give --yes to delete \(them).")
        }
        guard isWanted else {
            StandardStream.error.writeLine("Nothing was deleted.")
            throw ExitCode(CommandStatus.usage.rawValue)
        }
    }

    /// What would be lost, as a sentence; `nil` if nothing would.
    static func sentence(
        of tunnel: String,
        _ inbox: InboxStatus,
        deleting subject: Subject = .tunnel
    ) -> String? {
        let parts = [(inbox.waiting, "wait"), (inbox.dead, "could not be delivered")].filter { $0.0 > 0 }
        guard !parts.isEmpty else { return nil }
        let words = parts.map { count, what in
            "\(count) \(count == 1 ? "webhook" : "webhooks") that \(what == "wait" && count == 1 ? "waits" : what)"
        }
        let held = "The inbox of \(tunnel) holds \(words.joined(separator: " and "))"
        return subject == .tunnel ? "\(held), and goes with the tunnel." : "\(held)."
    }

    /// Asks at the terminal.
    ///
    /// - Returns: Whether the answer is yes; `nil` where nobody can be asked.
    private static func ask(_ sentence: String) -> Bool? {
        guard isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1 else { return nil }
        StandardStream.error.write(ShownText.stripped("\(sentence) Delete them? [y/N] "))
        let answer = readLine()?.trimmingCharacters(in: .whitespaces).lowercased()
        return answer == "y" || answer == "yes"
    }
}
