// SPDX-License-Identifier: Apache-2.0

import Inspection
import NIOCore

/// What becomes of the connections of a tunnel that does not carry HTTP.
package enum OriginConnectionEvent: Equatable, Sendable {
    /// A visitor's connection has reached the local server.
    case began
    /// It is over.
    case ended(OriginConnectionSummary)
}

/// A connection to the local server that is over.
package struct OriginConnectionSummary: Equatable, Sendable {
    /// The bytes that the local server was sent.
    package var bytesIn: Int
    /// The bytes that it sent.
    package var bytesOut: Int
    /// From the first moment to the last.
    package var duration: TimeAmount
    /// Whether it ended in order, and not by a reset.
    package var isComplete: Bool

    /// Describes a connection.
    package init(bytesIn: Int, bytesOut: Int, duration: TimeAmount, isComplete: Bool) {
        self.bytesIn = bytesIn
        self.bytesOut = bytesOut
        self.duration = duration
        self.isComplete = isComplete
    }
}

/// Counts the bytes of one connection; made only where connections are shown or logged.
final class ConnectionMeter {
    private let report: @Sendable (OriginConnectionEvent) -> Void
    private let begunAt: NIODeadline
    private var bytesIn = 0
    private var bytesOut = 0
    private var hasEnded = false

    /// Begins to count.
    init(_ report: @escaping @Sendable (OriginConnectionEvent) -> Void, now: NIODeadline = .now()) {
        self.report = report
        self.begunAt = now
        report(.began)
    }

    /// Bytes were read from one side.
    func read(_ bytes: Int, from side: PipeHandler.Side) {
        switch side {
        case .stream: self.bytesIn += bytes
        case .local: self.bytesOut += bytes
        }
    }

    /// Either side is closed; the second call has no effect.
    func closed(_ ending: PipeEnding, now: NIODeadline = .now()) {
        guard !self.hasEnded else { return }
        self.hasEnded = true
        self.report(
            .ended(
                OriginConnectionSummary(
                    bytesIn: self.bytesIn,
                    bytesOut: self.bytesOut,
                    duration: now - self.begunAt,
                    isComplete: ending.isClean
                )
            )
        )
    }
}
