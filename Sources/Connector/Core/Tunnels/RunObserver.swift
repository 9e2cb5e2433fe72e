// SPDX-License-Identifier: Apache-2.0

/// Hears what becomes of the tunnels that a program serves; called from any thread.
package protocol RunObserver: Sendable {
    /// So many tunnels are going to be served.
    func willServe(tunnelCount: Int)

    /// The configuration was read again without a failure: what was wrong with it is right now.
    func configurationWasRead()

    /// A call of the edge's API failed and will be made again.
    func willCallAgain(in delay: Duration, reason: String)

    /// A tunnel is going to be served.
    ///
    /// - Returns: Who hears what becomes of it.
    func opened(tunnel id: String, url: String, target: OriginTarget) -> TunnelObserver

    /// A tunnel is served no more, by one of the runs that there may be of it.
    func closed(tunnel id: String)
}

/// Hears what becomes of one tunnel; called from any thread.
package struct TunnelObserver: Sendable {
    /// Hears what becomes of the connections to the edge.
    let connection: @Sendable (ConnectionEvent) -> Void
    /// Hears of the local server.
    let origin: OriginObserver
    /// Hears that the edge gave a new token.
    let tokenRenewed: @Sendable () -> Void

    /// - Parameters:
    ///   - connection: Hears what becomes of the connections to the edge.
    ///   - origin: Hears of the local server.
    ///   - tokenRenewed: Hears that the edge gave a new token.
    package init(
        connection: @escaping @Sendable (ConnectionEvent) -> Void,
        origin: OriginObserver,
        tokenRenewed: @escaping @Sendable () -> Void
    ) {
        self.connection = connection
        self.origin = origin
        self.tokenRenewed = tokenRenewed
    }
}
