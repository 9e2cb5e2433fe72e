// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation
import Logging

/// Shows log lines inside the panel, since a line of its own would tear it.
///
/// What the panel shows in another way, it leaves out; so it does with what a person need not see.
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
