// SPDX-License-Identifier: Apache-2.0
import ControlAPI
import EdgeTunnels
import HTTP1
import NIOCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What every connection of a public listener works with.
package final class ProxyServices: Sendable {
    package let settings: ProxySettings
    let router: PublicRouter
    let trust: VisitorTrust
    let registry: any TunnelRegistry
    let controlPlane: any ControlPlane
    let connectEndpoint: any ConnectEndpoint
    /// Decides on visitors with access tokens.
    let accessEndpoint: any ConnectEndpoint
    let recorder: any ExchangeRecorder
    /// Makes whoever looks on at a request's exchange; mostly nobody.
    let observe: @Sendable (RequestID) -> (any ExchangeObserver)?
    /// The keys of the cookie in which browsers keep which tunnels they opened.
    let recentTunnels: RecentTunnelsKeys
    /// The time in seconds since 1970.
    let now: @Sendable () -> Int
    private let datesResponses: Bool
    /// The connections themselves.
    let connections: VisitorConnections
    /// What unfinished requests hold.
    let unfinished: UnfinishedRequests
    /// The requests for tunnels that are not known yet.
    let arrivals = ConnectionCount(limit: 1_024)

    /// Puts together what connections work with.
    ///
    /// - Parameters:
    ///   - settings: Bounds and time-outs.
    ///   - router: Finds where requests go.
    ///   - trust: Says whom to believe about a visitor.
    ///   - registry: The tunnels.
    ///   - controlPlane: Answers calls to the control API.
    ///   - connectEndpoint: Decides on connectors that come.
    ///   - accessEndpoint: Decides on visitors with access tokens; who decides on connectors if it is left out.
    ///   - recorder: Counts and writes down requests.
    ///   - observe: Makes whoever looks on at a request's exchange.
    ///   - recentTunnels: The keys of the cookie in which browsers keep which tunnels they opened.
    ///   - now: The time in seconds since 1970.
    ///   - datesResponses: Whether a response without `Date` gets one.
    ///   - connections: Where connections register.
    package init(
        settings: ProxySettings,
        router: PublicRouter,
        trust: VisitorTrust,
        registry: any TunnelRegistry,
        controlPlane: any ControlPlane,
        connectEndpoint: any ConnectEndpoint,
        accessEndpoint: (any ConnectEndpoint)? = nil,
        recorder: any ExchangeRecorder,
        observe: @escaping @Sendable (RequestID) -> (any ExchangeObserver)? = { _ in nil },
        recentTunnels: RecentTunnelsKeys = RecentTunnelsKeys(secrets: []),
        now: @escaping @Sendable () -> Int = { Int(Date().timeIntervalSince1970) },
        datesResponses: Bool = true,
        connections: VisitorConnections = VisitorConnections()
    ) {
        self.settings = settings
        self.router = router
        self.trust = trust
        self.registry = registry
        self.controlPlane = controlPlane
        self.connectEndpoint = connectEndpoint
        self.accessEndpoint = accessEndpoint ?? connectEndpoint
        self.recorder = recorder
        self.observe = observe
        self.recentTunnels = recentTunnels
        self.now = now
        self.datesResponses = datesResponses
        self.connections = connections
        self.unfinished = UnfinishedRequests(limit: settings.maximumUnfinishedBytes)
    }

    /// What a response without `Date` gets.
    var date: HTTPDate? { self.datesResponses ? HTTPDate(seconds: self.now()) : nil }

    /// How requests that lack the prefix of a tunnel with such a policy are led back to it; `nil` if it or the edge does
    /// not want that.
    func fallbackKind(_ policy: TunnelPolicy) -> PathFallback.Kind? {
        if policy.pathMode == .root { return .root }
        return self.settings.hasPathFallback && policy.pathFallback ? .prefix : nil
    }
}
