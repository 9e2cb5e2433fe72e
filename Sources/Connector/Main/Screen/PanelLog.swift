// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation
import Logging

/// Shows warnings and errors inside the panel, since a separate line would break it.
///
/// It omits events, which the panel shows in its own way, and what is below a warning.
struct PanelLog: LogHandler {
    let panel: StatusPanel
    /// Gets every line as well, where standard error goes elsewhere than to the terminal.
    let file: StandardErrorLog?
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]

    init(panel: StatusPanel, file: StandardErrorLog?, level: Logger.Level) {
        self.panel = panel
        self.file = file
        self.logLevel = level
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        if var file = self.file {
            file.metadata = self.metadata
            file.log(event: event)
        }
        guard event.level >= .warning, event.metadata?["event"] == nil else { return }
        let text = PeerText.printable("\(event.message)")
        self.panel.update { $0.take(message: text, isError: event.level >= .error, at: Date()) }
    }
}
