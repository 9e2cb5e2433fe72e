// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import Logging
import Program

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
        switch self {
        case .text:
            // What the event is called is for programs; people have the message.
            let pairs = metadata.filter { $0.key != "event" }.map { (key: $0.key, value: Self.text($0.value)) }
            var line = date.formatted(Self.clock) + " " + Self.tag(level) + " " + ShownText.escaped(message)
            for pair in pairs.sorted(by: { $0.key < $1.key }) {
                line += " \(pair.key)=\(ShownText.pairValue(pair.value))"
            }
            return line + "\n"
        case .json:
            var members = metadata.mapValues(JSONMember.init)
            members["time"] = .text(date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
            members["level"] = .text(level.rawValue)
            members["message"] = .text(message)
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            guard let data = try? encoder.encode(members) else { return "{}\n" }
            // The encoder escapes C0 alone. What is escaped here can only stand inside of strings.
            return ShownText.escaped(String(decoding: data, as: UTF8.self)) + "\n"
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
        if case .stringConvertible(let duration as Duration) = value { duration.inSeconds } else { "\(value)" }
    }
}

/// A value of a JSON line: numbers stay numbers, and a duration is its seconds.
private enum JSONMember: Encodable {
    case text(String)
    case integer(Int)
    case number(Double)
    case boolean(Bool)

    init(_ value: Logger.MetadataValue) {
        guard case .stringConvertible(let value) = value else {
            self = .text("\(value)")
            return
        }
        switch value {
        case let value as Bool: self = .boolean(value)
        case let value as any BinaryInteger: self = .integer(Int(clamping: value))
        case let value as Double: self = .number(value)
        case let value as Duration: self = .number((value / .milliseconds(1)).rounded() / 1_000)
        default: self = .text("\(value)")
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .text(let text): try container.encode(text)
        case .integer(let number): try container.encode(number)
        case .number(let number): try container.encode(number)
        case .boolean(let value): try container.encode(value)
        }
    }
}

extension Duration {
    /// The duration in seconds with one decimal, as in `2.5s`.
    var inSeconds: String {
        let seconds = Double(self.components.seconds) + Double(self.components.attoseconds) / 1e18
        return String(format: "%.1fs", seconds)
    }
}
