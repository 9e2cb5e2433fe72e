// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Passes a pipe's bytes to its capture and reports what that finds; made only where requests are shown or logged.
final class PipeCapture {
    private var capture = HTTPCapture()
    private let report: @Sendable (HTTPCapture.Event) -> Void

    init(report: @escaping @Sendable (HTTPCapture.Event) -> Void) {
        self.report = report
    }

    /// Reads bytes that the origin has just been sent.
    func requestBytes(_ bytes: ByteBuffer) {
        self.reportAll(self.capture.requestBytes(bytes, now: .now()))
    }

    /// Reads bytes that the visitor has just been sent.
    func responseBytes(_ bytes: ByteBuffer) {
        self.reportAll(self.capture.responseBytes(bytes, now: .now()))
    }

    /// The origin has closed its direction.
    func localFinished() {
        self.reportAll(self.capture.responsesFinished(now: .now()))
    }

    /// Either side is closed; the second call has no effect.
    func closed(isClean: Bool) {
        self.reportAll(self.capture.closed(isClean: isClean, now: .now()))
    }

    private func reportAll(_ events: [HTTPCapture.Event]) {
        for event in events { self.report(event) }
    }
}
