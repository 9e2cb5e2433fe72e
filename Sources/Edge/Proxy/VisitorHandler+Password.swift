// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOPosix

extension VisitorHandler {
    /// Compares a password on a thread that is nobody's event loop, and goes on when that is done.
    func compare(
        _ attempt: PasswordAttempt,
        for tunnel: Tunnel,
        _ head: RequestHead,
        record: RequestRecord,
        prefixLength: Int
    ) {
        guard let context else { return }
        self.phase = .answering
        NIOThreadPool.singleton.runIfActive(eventLoop: context.eventLoop) { attempt.isRight() }
            .assumeIsolated()
            .whenComplete { result in
                guard case .answering = self.phase else { return }
                let isRight = (try? result.get()) ?? false
                let decision = tunnel.conclude(attempt, isRight: isRight)
                self.proceed(decision, tunnel, head, record: record, prefixLength: prefixLength)
                self.process()
                self.flushIfNeeded()
                self.updateReading()
            }
    }
}
