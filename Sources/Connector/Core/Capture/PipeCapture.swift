// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// The tap of one pipe, and who hears of what it sees; made only where somebody looks.
final class PipeCapture {
    private var tap = HTTPCapture()
    private let report: @Sendable (HTTPCapture.Event) -> Void

    init(report: @escaping @Sendable (HTTPCapture.Event) -> Void) {
        self.report = report
    }

    /// Looks at bytes that the origin has just been sent.
    func requestBytes(_ bytes: ByteBuffer) {
        self.tell(self.tap.requestBytes(bytes, now: .now()))
    }

    /// Looks at bytes that the visitor has just been sent.
    func responseBytes(_ bytes: ByteBuffer) {
        self.tell(self.tap.responseBytes(bytes, now: .now()))
    }

    /// Takes the end of what the origin sends.
    func localFinished() {
        self.tell(self.tap.responsesFinished(now: .now()))
    }

    /// Takes the end of either side, of which only the first counts.
    func closed(isClean: Bool) {
        self.tell(self.tap.closed(isClean: isClean, now: .now()))
    }

    private func tell(_ events: [HTTPCapture.Event]) {
        for event in events { self.report(event) }
    }
}
