// SPDX-License-Identifier: Apache-2.0

import Foundation
import Logging

/// Writes log lines to standard error, each in one piece; whoever logs does not wait for the reader.
struct StandardErrorLog: LogHandler {
    let format: LogFormat
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]

    init(format: LogFormat, level: Logger.Level) {
        self.format = format
        self.logLevel = level
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let metadata = self.metadata.merging(event.metadata ?? [:]) { _, new in new }
        let line = self.format.line(level: event.level, message: "\(event.message)", metadata: metadata, date: Date())
        StandardStream.error.send(line) { [format] count in
            format.line(
                level: .warning,
                message: "Log lines were dropped, since nobody took them.",
                metadata: ["lines": .stringConvertible(count)],
                date: Date()
            )
        }
    }
}
