// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Who looks at the requests of a connection: all of them listen to one reader.
package struct CaptureListeners: Sendable {
    /// Called for requests and responses, where these are shown or logged.
    let report: (@Sendable (HTTPCapture.Event) -> Void)?
    /// Keeps what passes, where it can be inspected.
    let recorder: ExchangeRecorder?

    /// - Parameters:
    ///   - report: Called for requests and responses.
    ///   - recorder: Keeps what passes.
    package init(
        report: (@Sendable (HTTPCapture.Event) -> Void)? = nil,
        recorder: ExchangeRecorder? = nil
    ) {
        self.report = report
        self.recorder = recorder
    }

    /// Whether nobody looks.
    package var isEmpty: Bool { self.report == nil && self.recorder == nil }

    /// The listeners of another connection of the same tunnel.
    package func forNextConnection() -> CaptureListeners {
        CaptureListeners(report: self.report, recorder: self.recorder?.forNextConnection())
    }
}

/// Keeps the exchanges of one connection.
package struct ExchangeRecorder: Sendable {
    /// Where they are kept.
    let ring: CaptureRing
    /// Where they come from.
    let origin: ExchangeOrigin
    /// The exchange of the only request, if it was made before there was a connection.
    private let prepared: ExchangeCapture?

    /// - Parameters:
    ///   - ring: Where exchanges are kept.
    ///   - origin: Where they come from.
    ///   - prepared: The exchange of the only request, if it was made before there was a connection.
    package init(ring: CaptureRing, origin: ExchangeOrigin, prepared: ExchangeCapture? = nil) {
        self.ring = ring
        self.origin = origin
        self.prepared = prepared
    }

    /// A request's head has passed.
    func begin(_ head: ByteBuffer, hasBody: Bool, at moment: NIODeadline) -> ExchangeCapture? {
        guard let prepared = self.prepared else {
            let head = HTTPCapture.copy(head)
            return self.ring.begin(self.origin, head: head, hasBody: hasBody, at: moment)
        }
        prepared.started(hasBody: hasBody, at: moment)
        return prepared
    }

    /// The recorder for another connection of the same tunnel.
    package func forNextConnection() -> ExchangeRecorder {
        var origin = self.origin
        origin.connection = self.ring.nextConnection()
        return ExchangeRecorder(ring: self.ring, origin: origin)
    }
}
