// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation
import Inspection

/// One request with its response, as text for people; what strangers sent is stripped of control characters.
enum RequestText {
    /// The longest body that is shown, in bytes.
    private static let longestBody = 64 << 10

    /// What is known beside the messages.
    static func head(of answer: ExchangeAnswer, reveals: Bool) -> String {
        var lines = ["Request \(answer.id) to \(answer.tunnelName), \(answer.start)"]
        if let address = answer.remoteAddress { lines.append("From \(PeerText.printable(address))") }
        if let original = answer.replayOf { lines.append("Repeats \(original)") }
        if let error = answer.error { lines.append(PeerText.printable(error)) }
        if let time = answer.durationMS { lines.append(String(format: "Took %.1f ms", time)) }
        if let messages = answer.messages {
            lines.append("\(messages) messages: culvert requests show \(answer.id) --frames")
        }
        let dropped = (answer.request.droppedFields ?? []) + (answer.response?.droppedFields ?? [])
        if !dropped.isEmpty { lines.append("Not kept: \(PeerText.printable(dropped.joined(separator: ", ")))") }
        return lines.joined(separator: "\n") + "\n"
    }

    /// A message with its body.
    ///
    /// - Parameters:
    ///   - message: The message.
    ///   - body: The body, decoded; `nil` if there is none, or it can't be decoded.
    ///   - reveals: Whether secrets are shown.
    static func message(_ message: MessageAnswer, body: Data?, reveals: Bool) -> String {
        var text = "\n" + PeerText.printable(self.line(message.line, reveals: reveals)) + "\n"
        for field in message.fields + (message.trailers ?? []) where field.count == 2 {
            let value = reveals ? field[1] : SecretNames.masked(field[0], field[1])
            text += PeerText.printable("\(field[0]): \(value)") + "\n"
        }
        let facts = message.body
        guard facts.size > 0 else { return text }
        text += "\n"
        if !facts.isWhole { text += "[the first \(facts.kept) of \(facts.size) bytes were kept]\n" }
        guard let body, let content = String(data: body.prefix(self.longestBody), encoding: .utf8),
            !content.contains("\0")
        else {
            let coding = facts.coding.map { ", coded as \(PeerText.printable($0))" } ?? ""
            return text + "[\(facts.size) bytes of \(PeerText.printable(facts.type ?? "no type"))\(coding)]\n"
        }
        let isForm = facts.type == "application/x-www-form-urlencoded"
        text += self.visible(isForm && !reveals ? SecretNames.maskedMembers(content) : content) + "\n"
        if body.count > self.longestBody { text += "[\(body.count - self.longestBody) more bytes: --body]\n" }
        return text
    }

    /// What the inspector answers of an exchange, with a mask in place of each secret.
    static func maskedJSON(_ answer: Data) throws -> String {
        try JSONLine.of(JSONDecoder().decode(ExchangeAnswer.self, from: answer).masked)
    }

    /// A message of a WebSocket.
    static func line(_ frame: FramesAnswer.Frame) -> String {
        let arrow = frame.from == "visitor" ? ">" : "<"
        var text = String(format: "%6d %10.1f ms %@ %@ %d B", frame.n, frame.atMS, arrow, frame.opcode, Int(frame.size))
        if let content = frame.text { text += "  " + PeerText.printable(content) }
        if let content = frame.base64, !content.isEmpty { text += "  base64 " + content.prefix(200) }
        if let code = frame.code { text += "  \(code) \(PeerText.printable(frame.reason ?? ""))" }
        return text
    }

    private static func line(_ line: String, reveals: Bool) -> String {
        reveals ? line : MessageAnswer.masked(line: line)
    }

    /// Keeps lines and tabs, and no other control character.
    private static func visible(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.filter {
                    $0 == "\n" || $0 == "\t" || $0.properties.generalCategory != .control
                }
            )
        )
    }
}
