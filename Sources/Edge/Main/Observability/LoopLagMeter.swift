// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Asks each event loop to do nothing at fixed times, and notes how late it does: whatever blocks a loop shows here.
struct LoopLagMeter {
    private static let interval = TimeAmount.milliseconds(250)

    private let tasks: [RepeatedTask]

    /// Begins to measure.
    init(_ group: any EventLoopGroup, metrics: EdgeMetrics) {
        self.tasks = group.makeIterator().map { loop in
            let due = NIOLoopBoundBox.makeBoxSendingValue(NIODeadline.now() + Self.interval, eventLoop: loop)
            return loop.scheduleRepeatedTask(initialDelay: Self.interval, delay: Self.interval) { _ in
                let now = NIODeadline.now()
                metrics.loopLagged(seconds: max(0, Double((now - due.value).nanoseconds) / 1e9))
                due.value = now + Self.interval
            }
        }
    }

    /// Ends.
    func cancel() {
        for task in self.tasks { task.cancel() }
    }
}
