// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import Protocol

/// Sees at the start of a run whether the local server takes connections.
///
/// Without it, that nothing listens there would show with the first request alone. It asks once: a server that takes one
/// connection and no more must not lose it to somebody who has nothing to say.
struct OriginWatch: Sendable {
    /// For how long the tunnel waits for it: a server of this machine answers sooner, and one that does not is no reason to
    /// keep visitors waiting.
    static let headStart = Duration.milliseconds(250)

    let target: OriginTarget
    /// Called with what was seen.
    let report: @Sendable (OriginEvent) -> Void

    /// Opens a connection, and closes it.
    func run() async {
        do {
            try await self.connect()
            self.report(.reachable(target: "\(self.target)"))
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
