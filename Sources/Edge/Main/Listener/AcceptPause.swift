// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Stops a listener for a moment when the system has no descriptor or memory for another connection.
///
/// NIO's own `AcceptBackoffHandler` holds back reads, but leaves the listener registered for the connection that waits:
/// its event loop then runs without end.
final class AcceptPause: ChannelInboundHandler {
    typealias InboundIn = any Channel

    /// How long nothing is accepted.
    static let pause = TimeAmount.milliseconds(250)
    /// How often the log tells of it at most.
    static let reportInterval = TimeAmount.seconds(60)

    private let logger: Logger
    private var isPaused = false
    private var reportedAt: NIODeadline?

    init(logger: Logger) {
        self.logger = logger
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Any other error is about the one connection that was to be accepted.
        guard let error = error as? IOError, Self.isExhaustion(error.errnoCode), !self.isPaused else { return }
        self.isPaused = true
        self.report(error.errnoCode, now: context.eventLoop.now)
        let channel = context.channel
        try? channel.syncOptions?.setOption(.autoRead, value: false)
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.pause) {
            self.isPaused = false
            try? channel.syncOptions?.setOption(.autoRead, value: true)
        }
    }

    static func isExhaustion(_ code: CInt) -> Bool {
        [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(code)
    }

    private func report(_ code: CInt, now: NIODeadline) {
        if let reportedAt, now < reportedAt + Self.reportInterval { return }
        self.reportedAt = now
        switch code {
        case EMFILE:
            self.logger.warning(
                """
                new connections wait: this process has as many open files as it may; raise the hard limit \
                (LimitNOFILE=, ulimit -Hn) or lower http.max-connections
                """
            )
        case ENFILE:
            self.logger.warning("new connections wait: the machine has as many open files as it may (fs.file-max)")
        default: self.logger.warning("new connections wait: the system has no memory for them")
        }
    }
}
