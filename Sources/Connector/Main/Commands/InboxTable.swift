// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import ControlAPI
import Foundation
import Program

/// Inboxes and their messages as text for people.
enum InboxTable {
    /// An inbox.
    static func details(_ inbox: InboxStatus) -> String {
        let settings = inbox.settings
        var rows = [
            ["Tunnel", inbox.tunnelID],
            ["Keeps", settings.when == .always ? "each request" : "requests that nobody can take"],
            ["Methods", settings.methods.joined(separator: ", ")],
            ["Paths", settings.paths.joined(separator: ", ")],
        ]
        if let verify = settings.verify {
            let failure = verify.onFailure == .mark ? "wrong ones are marked" : "wrong ones are refused"
            rows.append(["Signatures", "\(verify.scheme.rawValue), \(failure)"])
        }
        if !settings.echo.isEmpty { rows.append(["Handshakes", settings.echo.joined(separator: ", ")]) }
        rows.append(["Messages", "\(inbox.waiting) waiting, \(inbox.delivered) delivered, \(inbox.dead) dead"])
        rows.append(["Size", "\(inbox.bytes) bytes"])
        if let oldest = inbox.oldestWaitingAt { rows.append(["Oldest waiting", oldest.formatted(.iso8601)]) }
        return TunnelTable.columns(rows)
    }

    /// One line a message.
    static func list(_ messages: [InboxMessage]) -> String {
        guard !messages.isEmpty else { return "No messages." }
        var rows = [["ID", "RECEIVED", "STATE", "TIMES REFUSED", "LAST ANSWER", "BYTES", "REQUEST"]]
        for message in messages {
            rows.append([
                message.id, message.receivedAt.formatted(.iso8601), Self.state(message), "\(message.attempts)",
                message.lastStatus.map { "\($0)" } ?? message.lastError ?? "none yet", "\(message.size)",
                "\(message.method) \(message.target)",
            ])
        }
        return TunnelTable.columns(rows)
    }

    private static func state(_ message: InboxMessage) -> String {
        message.verified == false ? "\(message.state.rawValue), unsigned" : message.state.rawValue
    }

    /// A message with its content; a body that is no text is only counted.
    static func content(_ content: InboxMessageContent, body: Data) -> String {
        let head = content.head.split(whereSeparator: \.isNewline).map { PeerText.printable(String($0)) }
        let text = String(data: body, encoding: .utf8).map(TextLines.of)
        let shown =
            text.map { $0.map { PeerText.printable(String($0)) }.joined(separator: "\n") }
            ?? "(\(body.count) bytes that are no text: --body prints them)"
        return (head + ["", shown]).joined(separator: "\n")
    }
}
