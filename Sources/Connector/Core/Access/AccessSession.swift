// SPDX-License-Identifier: Apache-2.0

import Logging
import Mux
import NIOCore
import Program
import Protocol

/// One session of a visitor with an access token, as seen from outside its event loop.
struct AccessSession: Sendable {
    let handler: NIOLoopBound<SessionHandler>
    /// What happens to it.
    let events: AsyncStream<TunnelSessionEvent>

    /// Makes the session of a connection, on its event loop.
    static func make(on eventLoop: any EventLoop, logger: Logger) -> EdgeDialer.Session<AccessSession> {
        let relay = TunnelSessionRelay()
        var configuration = SessionConfiguration(role: .connector)
        configuration.settings.implementation = "culvert/\(ProgramVersion.current)"
        // The handler holds its delegate weakly; the closure that answers streams retains it.
        let handler = SessionHandler(configuration: configuration, delegate: relay, logger: logger.ofSessions) {
            [relay] stream in
            withExtendedLifetime(relay) {
                stream.reject(code: .unsupportedKind, reason: "a visitor takes no streams")
            }
        }
        return (
            handler, AccessSession(handler: NIOLoopBound(handler, eventLoop: eventLoop), events: relay.events.stream)
        )
    }

    /// Whether new streams can be opened.
    func isActive() async -> Bool {
        let handler = self.handler
        return (try? await handler.eventLoop.submit { handler.value.phase == .active }.get()) ?? false
    }
}
