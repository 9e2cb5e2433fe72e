// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import Protocol

/// Sees at the start of a run whether the local server takes connections, and if it does not, until it does.
///
/// Without it, that nothing listens there would show with the first request alone.
struct OriginWatch: Sendable {
    let target: OriginTarget
    /// Called if it does not, and when it does after that.
    let report: @Sendable (OriginEvent) -> Void
    /// How long to wait between two attempts.
    var pause = Duration.seconds(1)

    /// Ends when the server has taken a connection, or when the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            do {
                try await self.connect()
                return self.report(.reachable(target: "\(self.target)"))
            } catch {
                let failure = OriginFailure(error, dialling: self.target)
                self.report(
                    .unreachable(
                        target: "\(self.target)",
                        code: failure.code,
                        reason: failure.reason + Self.advice(for: failure)
                    )
                )
            }
            try? await Task.sleep(for: self.pause)
        }
    }

    /// What to do, as the end of a sentence.
    private static func advice(for failure: OriginFailure) -> String {
        switch failure.code {
        case .connectRefused: ": start the local server, or name the port that it listens on"
        case .dnsFailure: ": see how the name is spelt"
        default: ": visitors get an error until it answers"
        }
    }

    private func connect() async throws {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let bootstrap = ClientBootstrap.reaching(self.target.host, on: eventLoop)
            .connectTimeout(OriginDialer.connectTimeout)
        let channel =
            switch self.target.endpoint {
            case .unix(let path): try await bootstrap.connect(unixDomainSocketPath: path).get()
            case .tcp(let host, let port): try await bootstrap.connect(host: host, port: port).get()
            }
        try await channel.close()
    }
}
