// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import Logging

/// How log lines are written.
enum LogFormat: String, CaseIterable, Sendable, ExpressibleByArgument {
    /// For people.
    case text
    /// One JSON object a line, for programs.
    case json

    /// Writes one line, with its final newline.
    ///
    /// - Parameters:
    ///   - level: How important it is.
    ///   - message: What happened.
    ///   - metadata: The circumstances.
    ///   - date: When.
    func line(level: Logger.Level, message: String, metadata: Logger.Metadata, date: Date) -> String {
        let pairs = metadata.map { (key: $0.key, value: Self.text($0.value)) }.sorted { $0.key < $1.key }
        switch self {
        case .text:
            var line = date.formatted(Self.clock) + " " + Self.tag(level) + " " + Self.singleLine(message)
            for pair in pairs { line += " \(pair.key)=\(Self.quoted(pair.value))" }
            return line + "\n"
        case .json:
            var fields = Dictionary(pairs.map { ($0.key, $0.value) }) { first, _ in first }
            fields["time"] = date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
            fields["level"] = level.rawValue
            fields["message"] = message
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            guard let data = try? encoder.encode(fields) else { return "{}\n" }
            return String(decoding: data, as: UTF8.self) + "\n"
        }
    }

    private static let clock = Date.ISO8601FormatStyle().year().month().day().dateTimeSeparator(.space).time(
        includingFractionalSeconds: true
    )

    private static func tag(_ level: Logger.Level) -> String {
        switch level {
        case .trace: "trace"
        case .debug: "debug"
        case .info: "info "
        case .notice: "info "
        case .warning: "warn "
        case .error: "error"
        case .critical: "fatal"
        }
    }

    private static func text(_ value: Logger.MetadataValue) -> String {
        "\(value)"
    }

    /// Keeps what a peer said from starting a line of its own or steering the terminal.
    private static func singleLine(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { return text }
        return String(
            String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 })
        )
    }

    private static func quoted(_ text: String) -> String {
        let text = Self.singleLine(text)
        guard text.isEmpty || text.contains(where: { $0 == " " || $0 == "\"" || $0 == "=" }) else { return text }
        return "\"" + text.replacingOccurrences(of: "\"", with: "\\\"") + "\""
    }
}
