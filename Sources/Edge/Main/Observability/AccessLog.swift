// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeProxy
import EdgeTunnels
import Logging

/// One line a request.
final class AccessLog: ExchangeRecorder {
    private let logger: Logger
    private let metrics: EdgeMetrics

    /// Makes the log.
    init(logger: Logger, metrics: EdgeMetrics) {
        self.logger = logger
        self.metrics = metrics
    }

    /// Counts a request that has begun; ``finished(_:)`` has to follow.
    func started() {
        self.metrics.requestStarted()
    }

    /// Counts a request that is sent once more, on another stream.
    func retried() {
        self.metrics.requestRetried()
    }

    /// Writes the line of a request that is over, and counts it.
    func finished(_ entry: AccessLogEntry) {
        self.metrics.requestFinished(entry)
        guard self.logger.logLevel <= .info else { return }
        var metadata: Logger.Metadata = [
            "request_id": "\(entry.requestID)",
            "tunnel": "\(entry.tunnelID?.description ?? "-")",
            "method": "\(entry.method)",
            "path": "\(entry.path.prefix { $0 != "?" })",
            "status": "\(entry.status)",
            "received": "\(entry.bytesReceived)",
            "sent": "\(entry.bytesSent)",
            "ms": "\(Double(Int(entry.milliseconds * 10)) / 10)",
            "remote": "\(entry.remoteAddress?.description ?? "-")",
        ]
        if let pod = entry.otherEdge { metadata["pod"] = "\(pod)" }
        if let code = entry.errorCode { metadata["error"] = "\(code)" }
        if let traceparent = entry.traceparent { metadata["traceparent"] = "\(traceparent)" }
        self.logger.info("access", metadata: metadata)
    }
}
