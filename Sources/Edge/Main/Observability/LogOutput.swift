// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Program

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
    private let timeZone: LogTimeZone
    private let sink: LogSink

    /// Makes the output of one logger.
    ///
    /// - Parameters:
    ///   - label: The name of the logger.
    ///   - level: The least severe lines to write.
    ///   - isJSON: Whether each line is a JSON object.
    ///   - timeZone: The zone of timestamps.
    ///   - sink: Where lines go.
    init(label: String, level: Logger.Level, isJSON: Bool, timeZone: LogTimeZone = .utc, sink: LogSink) {
        self.label = label
        self.logLevel = level
        self.isJSON = isJSON
        self.timeZone = timeZone
        self.sink = sink
    }

    /// Makes every logger of the process write through this type.
    ///
    /// - Throws: ``CredentialFiles/Failure`` for a log file that can't be written.
    static func bootstrap(_ configuration: EdgeConfiguration) throws {
        let makeOutput = try Self.outputs(configuration, writingTo: .log(notice: Self.notice(configuration)))
        configuration.logTimeZone.adopt()
        LoggingSystem.bootstrap { makeOutput($0) }
    }

    /// What makes the output of a logger, by the logger's name.
    ///
    /// - Parameters:
    ///   - configuration: Says which lines are written, how, and to which file beside the sink.
    ///   - sink: Where lines go.
    /// - Throws: ``CredentialFiles/Failure`` for a log file that can't be written.
    static func outputs(
        _ configuration: EdgeConfiguration,
        writingTo sink: LogSink
    ) throws -> @Sendable (String) -> LogOutput {
        var sink = sink
        let isJSON = Self.isJSON(configuration, isTerminal: sink.isTerminal)
        if let path = configuration.logFile {
            sink = sink.also(
                to: try RotatingLogFile(
                    path: path,
                    maxSize: configuration.logFileSize.bytes,
                    keptFiles: configuration.logFileCount
                ),
                notice: Self.notice(configuration)
            )
        }
        let (level, timeZone) = (configuration.logLevel, configuration.logTimeZone)
        let environment = configuration.environment.rawValue
        return { [sink] label in
            var output = LogOutput(label: label, level: level, isJSON: isJSON, timeZone: timeZone, sink: sink)
            output.metadata = ["environment": "\(environment)"]
            return output
        }
    }

    private static func isJSON(_ configuration: EdgeConfiguration, isTerminal: Bool) -> Bool {
        switch configuration.logFormat {
        case .text: false
        case .json: true
        case .auto: !isTerminal
        }
    }

    /// What makes the line that tells of dropped ones, like the other lines.
    private static func notice(_ configuration: EdgeConfiguration) -> LineWriter.Notice {
        let isJSON = Self.isJSON(configuration, isTerminal: LogSink.standardError.isTerminal)
        let (timeZone, environment) = (configuration.logTimeZone, configuration.environment.rawValue)
        return { count in
            Self.line(
                stamp: timeZone.stamp(Date()),
                level: .warning,
                label: "culvert.log",
                message: "log lines were dropped, since nobody took them",
                metadata: ["environment": "\(environment)", "lines": "\(count)"],
                isJSON: isJSON
            )
        }
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
            stamp: self.timeZone.stamp(Date()),
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
        stamp: String,
        level: Logger.Level,
        label: String,
        message: String,
        metadata: Logger.Metadata,
        isJSON: Bool
    ) -> String {
        let pairs = metadata.sorted { $0.key < $1.key }
        guard isJSON else {
            let details = pairs.map { " \($0.key)=\(ShownText.pairValue("\($0.value)"))" }.joined()
            return "\(stamp) \(level.rawValue) \(ShownText.escaped(message))\(details)\n"
        }
        var line = #"{"time":"\#(stamp)","level":"\#(level.rawValue)","logger":\#(self.quoted(label)),"#
        line += #""message":\#(self.quoted(message))"#
        for (key, value) in pairs { line += ",\(self.quoted(key)):\(self.quoted("\(value)"))" }
        return line + "}\n"
    }

    /// A JSON string (RFC 8259 §7).
    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case _ where scalar.isSteering: quoted += ShownText.escaped(String(scalar))
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
