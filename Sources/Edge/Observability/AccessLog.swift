// SPDX-License-Identifier: Apache-2.0

import Logging

/// What is logged of one visitor's request.
struct AccessLogEntry: Equatable, Sendable {
    /// The id that the visitor was shown.
    var requestID: RequestID
    /// The tunnel; `nil` for a request that reached none.
    var tunnelID: TunnelID?
    /// The method.
    var method: String
    /// The path; what is passed may have a query, which is not logged.
    var path: String
    /// The status that was sent; 0 if none was.
    var status: Int
    /// Body bytes from the visitor.
    var bytesReceived: Int
    /// Body bytes to the visitor.
    var bytesSent: Int
    /// From the first byte of the request to the last of the response.
    var milliseconds: Double
    /// From the first byte of the request to the moment when it was on its way to the connector; `nil` if it never was.
    var overheadMilliseconds: Double?
    /// From there to the head of the response; `nil` if none came.
    var originMilliseconds: Double?
    /// The code of the error that the edge made, if it did.
    var errorCode: String?
    /// The trusted address of the visitor.
    var remoteAddress: IPAddress?
    /// The `traceparent` that the request had.
    var traceparent: String?
}

/// One line a request.
struct AccessLog: Sendable {
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
        if let code = entry.errorCode { metadata["error"] = "\(code)" }
        if let traceparent = entry.traceparent { metadata["traceparent"] = "\(traceparent)" }
        self.logger.info("access", metadata: metadata)
    }
}
