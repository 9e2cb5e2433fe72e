// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Writes log lines to standard error, as text for people or as JSON for machines.
struct LogOutput: LogHandler {
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    private let label: String
    private let isJSON: Bool
    private let sink: LogSink

    /// Makes the output of one logger.
    ///
    /// - Parameters:
    ///   - label: The name of the logger.
    ///   - level: The least severe lines to write.
    ///   - isJSON: Whether each line is a JSON object.
    ///   - sink: Where lines go.
    init(label: String, level: Logger.Level, isJSON: Bool, sink: LogSink) {
        self.label = label
        self.logLevel = level
        self.isJSON = isJSON
        self.sink = sink
    }

    /// Makes every logger of the process write through this type.
    static func bootstrap(level: Logger.Level, format: EdgeConfiguration.LogFormat, sink: LogSink = .standardError) {
        let isJSON: Bool
        switch format {
        case .text: isJSON = false
        case .json: isJSON = true
        case .auto: isJSON = !sink.isTerminal
        }
        LoggingSystem.bootstrap { LogOutput(label: $0, level: level, isJSON: isJSON, sink: sink) }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var metadata = self.metadata
        if let provided = self.metadataProvider?.get() { metadata.merge(provided) { _, new in new } }
        if let own = event.metadata { metadata.merge(own) { _, new in new } }
        let line = Self.line(
            time: Date(),
            level: event.level,
            label: self.label,
            message: event.message.description,
            metadata: metadata,
            isJSON: self.isJSON
        )
        self.sink.write(line)
    }

    /// One line, with its line feed.
    static func line(
        time: Date,
        level: Logger.Level,
        label: String,
        message: String,
        metadata: Logger.Metadata,
        isJSON: Bool
    ) -> String {
        let stamp = time.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        let pairs = metadata.sorted { $0.key < $1.key }
        guard isJSON else {
            let details = pairs.map { " \($0.key)=\(self.plain("\($0.value)"))" }.joined()
            return "\(stamp) \(level.rawValue) \(self.plain(message))\(details)\n"
        }
        var line = #"{"time":"\#(stamp)","level":"\#(level.rawValue)","logger":\#(self.quoted(label)),"#
        line += #""message":\#(self.quoted(message))"#
        for (key, value) in pairs { line += ",\(self.quoted(key)):\(self.quoted("\(value)"))" }
        return line + "}\n"
    }

    /// A text that can't forge a line: what visitors send is in the log, too.
    private static func plain(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f }) else { return text }
        return String(
            String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? " " : $0 })
        )
    }

    /// A JSON string (RFC 8259 §7).
    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
