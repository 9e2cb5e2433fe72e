// SPDX-License-Identifier: Apache-2.0

/// Receives the events of the tunnels that a program serves; called on any thread.
package protocol RunObserver: Sendable {
    /// The number of tunnels that will be served is known.
    func willServe(tunnelCount: Int)

    /// The configuration was read again, and is valid.
    func configurationWasRead()

    /// A call of the control API failed, and will be repeated after the delay.
    func willCallAgain(in delay: Duration, reason: String)

    /// A run of a tunnel begins.
    ///
    /// - Returns: What receives its events.
    func opened(_ tunnel: ServedTunnel) -> TunnelObserver

    /// A run of a tunnel has ended; another run of the same tunnel may go on.
    func closed(tunnel id: String)
}

/// Receives the events of one run of a tunnel; called on any thread.
package struct TunnelObserver: Sendable {
    /// Called for events of its connections to the edge.
    let connection: @Sendable (ConnectionEvent) -> Void
    /// Receives events of the local server.
    let origin: OriginObserver
    /// Called with what becomes of its token.
    let token: @Sendable (TokenEvent) -> Void

    /// - Parameters:
    ///   - connection: Called for events of its connections to the edge.
    ///   - origin: Receives events of the local server.
    ///   - token: Called with what becomes of its token.
    package init(
        connection: @escaping @Sendable (ConnectionEvent) -> Void,
        origin: OriginObserver,
        token: @escaping @Sendable (TokenEvent) -> Void
    ) {
        self.connection = connection
        self.origin = origin
        self.token = token
    }
}
