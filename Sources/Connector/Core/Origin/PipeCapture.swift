// SPDX-License-Identifier: Apache-2.0

import Inspection
import NIOCore

/// Passes a pipe's bytes to its capture; made only where requests are shown, logged or inspected.
final class PipeCapture {
    private var capture: HTTPCapture

    init(_ listeners: CaptureListeners) {
        self.capture = HTTPCapture(listeners)
    }

    /// Reads bytes that the origin has just been sent.
    func requestBytes(_ bytes: ByteBuffer) {
        self.capture.requestBytes(bytes, now: .now())
    }

    /// Reads bytes that the visitor has just been sent.
    func responseBytes(_ bytes: ByteBuffer) {
        self.capture.responseBytes(bytes, now: .now())
    }

    /// The origin has closed its direction.
    func localFinished() {
        self.capture.responsesFinished(now: .now())
    }

    /// The edge wants no more of the responses.
    func streamStoppedReading() {
        self.capture.responsesUnwanted(now: .now())
    }

    /// Either side is closed; the second call has no effect.
    func closed(_ ending: PipeEnding) {
        self.capture.closed(ending, now: .now())
    }
}
