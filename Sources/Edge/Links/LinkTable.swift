// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels
import Logging
import Mux
import NIOCore
import Protocol
import Synchronization

/// Counts what links do.
package protocol LinkRecorder: Sendable {
    /// A link has opened.
    func linkOpened()
    /// A link is over.
    func linkClosed()
    /// An edge could not be reached.
    func linkFailed()
    /// A stream of another edge goes on to a connector of this one.
    func streamRelayed()
    /// A stream of another edge was for a tunnel that has no connector here.
    func streamRefused()
    /// Somebody would open a link by a token that is none, or not for this edge.
    func linkRefused()
}

/// The links of this edge: at most one to each other edge that it opens streams over, dialled when it is needed.
///
/// Two edges that dial each other in the same moment have two, each of which ends when nobody uses it.
package final class LinkTable: PeerLinks {
    private enum Place {
        /// A link is dialled; these tunnels wait for it.
        case dialling([TunnelID: Tunnel])
        case open(NIOLoopBound<PeerLink>, ObjectIdentifier)
        /// It could not be reached a moment ago.
        case failed(until: NIODeadline)
    }

    private struct State {
        var places: [PodID: Place] = [:]
        /// Every link, those included over which this edge opens no streams.
        var links: [ObjectIdentifier: NIOLoopBound<PeerLink>] = [:]
        var isClosing = false
        var whenEmpty: (@Sendable () -> Void)?
    }

    /// For how long an edge that could not be reached is left alone.
    private static let patience = TimeAmount.milliseconds(200)
    /// The most tunnels that wait for a link.
    private static let mostWaiting = 4_096

    /// This edge.
    package let own: PodID
    /// The tunnels that connectors of this edge serve.
    let tunnels: InMemoryTunnelRegistry
    let recorder: any LinkRecorder
    private let dialer: LinkDialer
    private let base: SessionConfiguration
    private let logger: Logger
    private let state = Mutex(State())

    /// Makes a table without links.
    ///
    /// - Parameters:
    ///   - own: This edge.
    ///   - tunnels: The tunnels that connectors of this edge serve.
    ///   - configuration: What sessions bring along; its role does not matter.
    ///   - dialer: Reaches other edges.
    ///   - recorder: Counts.
    ///   - logger: Where links are logged.
    package init(
        own: PodID,
        tunnels: InMemoryTunnelRegistry,
        configuration: SessionConfiguration,
        dialer: LinkDialer,
        recorder: any LinkRecorder,
        logger: Logger
    ) {
        self.own = own
        self.tunnels = tunnels
        self.base = configuration
        self.dialer = dialer
        self.recorder = recorder
        self.logger = logger
    }

    /// How many links there are.
    package var count: Int { self.state.withLock { $0.links.count } }

    // MARK: Ways

    package func attach(_ tunnel: Tunnel, at pod: PodID) {
        enum Step {
            case give(NIOLoopBound<PeerLink>)
            case dial
            case nothing
        }
        let step = self.state.withLock { state -> Step in
            guard !state.isClosing else { return .nothing }
            switch state.places[pod] {
            case .open(let link, _): return .give(link)
            case .dialling(var tunnels):
                if tunnels.count < Self.mostWaiting { tunnels[tunnel.id] = tunnel }
                state.places[pod] = .dialling(tunnels)
                return .nothing
            case .failed(let until) where NIODeadline.now() < until: return .nothing
            case .failed, nil:
                state.places[pod] = .dialling([tunnel.id: tunnel])
                return .dial
            }
        }
        switch step {
        case .nothing: break
        case .give(let link):
            link.eventLoop.execute { link.value.attach(tunnel) }
        case .dial:
            Task {
                do {
                    try await self.dialer.dial(pod) { eventLoop in self.handler(of: pod, as: .connector, on: eventLoop)
                    }
                } catch {
                    self.failed(pod, error)
                }
            }
        }
    }

    package func tell(_ isSuspect: Bool, of id: TunnelID) {
        let links = self.state.withLock { Array($0.links.values) }
        for link in links { link.eventLoop.execute { link.value.tell(isSuspect, of: id) } }
    }

    /// An edge that was dialled could not be reached, or is not the one that was meant.
    func failed(_ pod: PodID, _ error: any Error) {
        self.recorder.linkFailed()
        self.logger.notice("another edge could not be reached", metadata: ["pod": "\(pod)", "why": "\(error)"])
        self.state.withLock { state in
            // A link that it has dialled itself counts.
            guard case .dialling = state.places[pod] else { return }
            let now = NIODeadline.now()
            // Edges that are gone are not remembered.
            state.places = state.places.filter { if case .failed(let until) = $0.value { until > now } else { true } }
            state.places[pod] = .failed(until: now + Self.patience)
        }
    }

    // MARK: Sessions

    /// Makes the session of a link that another edge has dialled; on the channel's event loop.
    package func accepted(from pod: PodID, on channel: any Channel) -> any ChannelHandler {
        self.handler(of: pod, as: .edge, on: channel.eventLoop)
    }

    private func handler(of pod: PodID, as role: SessionRole, on eventLoop: any EventLoop) -> SessionHandler {
        let link = PeerLink(
            with: pod,
            on: eventLoop,
            isDialled: role == .connector,
            table: self,
            logger: self.logger
        )
        var configuration = SessionConfiguration(role: role, governor: self.base.governor)
        configuration.settings.idleTimeoutMilliseconds = self.base.settings.idleTimeoutMilliseconds
        configuration.settings.implementation = self.base.settings.implementation
        LinkSessions.configure(&configuration, pod: self.own)
        return SessionHandler(
            configuration: configuration,
            delegate: link,
            logger: self.logger,
            // The closure also keeps the link alive.
            acceptStream: { link.accept($0) }
        )
    }

    /// A link has begun; on its event loop.
    func opened(_ link: PeerLink) {
        let bound = NIOLoopBound(link, eventLoop: link.eventLoop)
        let (waiting, isClosing) = self.state.withLock { state -> ([Tunnel], Bool) in
            state.links[ObjectIdentifier(link)] = bound
            switch state.places[link.pod] {
            case .open: return ([], state.isClosing)
            case .dialling(let tunnels):
                state.places[link.pod] = .open(bound, ObjectIdentifier(link))
                return (Array(tunnels.values), state.isClosing)
            case .failed, nil:
                state.places[link.pod] = .open(bound, ObjectIdentifier(link))
                return ([], state.isClosing)
            }
        }
        self.recorder.linkOpened()
        guard !isClosing else { return link.drain(gracePeriod: .seconds(1)) }
        for tunnel in waiting { link.attach(tunnel) }
    }

    /// A link takes no more streams of this edge.
    func closing(_ link: PeerLink) {
        self.state.withLock { state in
            guard case .open(_, ObjectIdentifier(link)) = state.places[link.pod] else { return }
            state.places[link.pod] = nil
        }
    }

    /// A link is over.
    func ended(_ link: PeerLink) {
        self.recorder.linkClosed()
        let done = self.state.withLock { state -> (@Sendable () -> Void)? in
            state.links[ObjectIdentifier(link)] = nil
            return state.links.isEmpty ? state.whenEmpty.take() : nil
        }
        done?()
    }

    // MARK: The end

    /// Lets other edges finish what they have under way here, and ends the links.
    ///
    /// - Parameters:
    ///   - gracePeriod: How long that may take.
    ///   - whenDone: Called once no link is left.
    package func drain(gracePeriod: TimeAmount, whenDone: @escaping @Sendable () -> Void) {
        let links = self.state.withLock { state -> [NIOLoopBound<PeerLink>] in
            state.isClosing = true
            if !state.links.isEmpty { state.whenEmpty = whenDone }
            return Array(state.links.values)
        }
        if links.isEmpty { return whenDone() }
        for link in links { link.eventLoop.execute { link.value.drain(gracePeriod: gracePeriod) } }
    }
}
