// SPDX-License-Identifier: Apache-2.0

import Mux
import NIOCore

/// Takes a session's figures now and then, so that other threads and the metrics can see them.
///
/// Used on the session's event loop.
final class SessionSampler {
    /// How often the figures are taken.
    private static let interval = TimeAmount.seconds(2)
    /// How soon after the session's begin they are taken first.
    private static let firstDelay = TimeAmount.milliseconds(100)

    private let eventLoop: any EventLoop
    private let recorder: any SessionRecorder
    private let echoInterval: TimeAmount
    private var next: Scheduled<Void>?
    private var counted = SessionFigures()

    /// Makes the sampler of one session.
    ///
    /// - Parameters:
    ///   - connection: The session's connection.
    ///   - echoInterval: How old the last echo may be before another one is asked for.
    init(_ connection: ConnectorConnection, echoInterval: TimeAmount) {
        self.eventLoop = connection.eventLoop
        self.recorder = connection.recorder
        self.echoInterval = echoInterval
    }

    /// Calls back each time that figures are due, until ``stop(_:)``.
    func start(_ sample: @escaping () -> Void) {
        self.schedule(after: Self.firstDelay, sample)
    }

    /// A little later than asked for, so that all sessions of a loop have their turn together.
    private func schedule(after delay: TimeAmount, _ sample: @escaping () -> Void) {
        let time = (NIODeadline.now() + delay).rounded(upTo: .milliseconds(100))
        self.next = self.eventLoop.assumeIsolated().scheduleTask(deadline: time) {
            sample()
            self.schedule(after: Self.interval, sample)
        }
    }

    /// Takes the session's figures.
    ///
    /// - Parameters:
    ///   - handler: The session.
    ///   - standing: How many of its streams only stand for tunnels.
    func take(from handler: SessionHandler, standing: Int) {
        self.keepEchoFresh(handler)
        self.count(SessionFigures(streams: handler.activeStreamCount - standing, stalls: handler.stallCount))
    }

    /// The session is over.
    func stop(_ handler: SessionHandler) {
        self.next?.cancel()
        self.next = nil
        self.count(SessionFigures(streams: 0, stalls: handler.stallCount))
        self.recorder.limitsPassed(handler.limitHits)
    }

    /// A connector that asks first keeps the session from asking by itself, and so the edge from knowing more than that
    /// bytes arrive.
    private func keepEchoFresh(_ handler: SessionHandler) {
        if let last = handler.lastEcho, .now() - last < self.echoInterval { return }
        handler.requestEcho()
    }

    private func count(_ figures: SessionFigures) {
        self.recorder.sessionChanged(from: self.counted, to: figures)
        self.counted = figures
    }
}
