// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// What is noted of a request while it is under way, for the access log.
struct RequestRecord {
    let requestID = RequestID()
    let started: NIODeadline
    var method: String
    var target: String
    var tunnel: Tunnel?
    var visitor: Visitor
    var traceparent: String?
    /// When the head was on its way to the connector.
    var forwarded: NIODeadline?
    /// When the head of the response came.
    var answered: NIODeadline?
    var status = 0
    var received = 0
    var sent = 0
    var error: VisitorError?

    /// Writes the line, and counts for the tunnel.
    func finish(in log: AccessLog, now: NIODeadline = .now()) {
        self.tunnel?.recordBytes(received: self.received, sent: self.sent)
        if self.error != nil { self.tunnel?.recordError() }
        log.finished(
            AccessLogEntry(
                requestID: self.requestID,
                tunnelID: self.tunnel?.id,
                method: self.method,
                path: self.target,
                status: self.status,
                bytesReceived: self.received,
                bytesSent: self.sent,
                milliseconds: (now - self.started).milliseconds,
                overheadMilliseconds: self.forwarded.map { ($0 - self.started).milliseconds },
                originMilliseconds: self.answered.flatMap { answered in
                    self.forwarded.map { (answered - $0).milliseconds }
                },
                errorCode: self.error?.code,
                remoteAddress: self.visitor.address,
                traceparent: self.traceparent
            )
        )
    }
}

extension TimeAmount {
    fileprivate var milliseconds: Double { Double(self.nanoseconds) / 1e6 }
}
