// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTCP
import EdgeTunnels
import Logging

/// One line a connection to a tunnel that is not of HTTP.
final class ConnectionLog: ConnectionRecorder {
    private let logger: Logger
    private let metrics: EdgeMetrics

    /// Makes the log.
    init(logger: Logger, metrics: EdgeMetrics) {
        self.logger = logger
        self.metrics = metrics
    }

    /// Counts a connection that has begun; ``finished(_:)`` has to follow.
    func started(_ kind: TunnelKind) {
        self.metrics.connectionStarted(kind)
    }

    /// Writes the line of a connection that is over, and counts it.
    func finished(_ entry: ConnectionEntry) {
        self.metrics.connectionFinished(entry)
        guard self.logger.logLevel <= .info else { return }
        var metadata: Logger.Metadata = [
            "request_id": "\(entry.id)",
            "tunnel": "\(entry.tunnelID?.description ?? "-")",
            "kind": "\(entry.kind)",
            "received": "\(entry.bytesReceived)",
            "sent": "\(entry.bytesSent)",
            "ms": "\(Double(Int(entry.milliseconds * 10)) / 10)",
            "remote": "\(entry.remoteAddress?.description ?? "-")",
        ]
        if let port = entry.port { metadata["port"] = "\(port)" }
        if let pod = entry.otherEdge { metadata["pod"] = "\(pod)" }
        if let fault = entry.fault { metadata["error"] = "\(fault.rawValue)" }
        self.logger.info("connection", metadata: metadata)
    }
}
