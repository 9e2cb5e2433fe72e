// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels
import Logging
import Mux
import NIOCore
import Protocol
import Synchronization

/// Counts what links do; called from any thread.
package protocol LinkRecorder: Sendable {
    /// A link has opened, does otherwise than before, or is gone.
    ///
    /// - Parameters:
    ///   - old: How it did; `nil` for one that has opened.
    ///   - new: How it does; `nil` for one that is gone.
    func linkChanged(from old: LinkReach.State?, to new: LinkReach.State?)
    /// What is under way over a link has changed.
    func linkStreamsChanged(from old: LinkFigures, to new: LinkFigures)
    /// Another edge, or the connector behind it, has refused a stream of this edge, of which nothing was delivered.
    func streamRejected(_ code: ErrorCode)
    /// An edge could not be reached.
    func linkFailed()
    /// A stream of another edge goes on to a connector of this one.
    func streamRelayed()
    /// A stream of another edge was for a tunnel that has no connector here.
    func streamRefused()
    /// Somebody would open a link by a token that is none, or not for this edge.
    func linkRefused()
}

/// What one link adds to the figures of all.
package struct LinkFigures: Equatable, Sendable {
    /// The streams that this edge has opened.
    package var outgoing = 0
    /// The streams that the other edge has opened, and this one passes on.
    package var incoming = 0
}

/// The links of this edge: at most one to each other edge that it opens streams over, dialled when it is needed.
///
/// Two edges that dial each other in the same moment have two, each of which ends when nobody uses it.
package final class LinkTable: PeerLinks {
    private struct State {
        var places = LinkPlaces<LinkHandle, Tunnel>()
        /// Every link, those included over which this edge opens no streams.
        var links: Set<LinkHandle> = []
        var isClosing = false
        var whenEmpty: (@Sendable () -> Void)?
    }

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
        let step = self.state.withLock { state in
            state.isClosing ? .wait : state.places.wants(pod, tunnel, id: tunnel.id, now: .now())
        }
        switch step {
        case .wait: break
        case .give(let link): link.run { $0.attach(tunnel) }
        case .dial: self.dial(pod)
        }
    }

    private func dial(_ pod: PodID) {
        Task {
            do {
                try await self.dialer.dial(pod) { eventLoop in self.handler(of: pod, as: .connector, on: eventLoop) }
            } catch {
                self.failed(pod, error)
            }
        }
    }

    package func tell(_ isSuspect: Bool, of id: TunnelID) {
        for link in self.state.withLock({ $0.links }) { link.run { $0.tell(isSuspect, of: id) } }
    }

    /// An edge that was dialled could not be reached, or is not the one that was meant.
    func failed(_ pod: PodID, _ error: any Error) {
        self.recorder.linkFailed()
        self.logger.notice(
            "another edge could not be reached",
            metadata: ["pod": "\(pod)", "why": "\(LinkFaultWords.of(error))"]
        )
        let silent = self.state.withLock { $0.places.failed(pod, now: .now()) }
        silent?.run { $0.giveUp() }
    }

    // MARK: Silence

    /// The other end of a link has been asked whether it is there, and has not answered; on its event loop.
    ///
    /// - Parameters:
    ///   - link: The link.
    ///   - tunnels: Those that have a way over it.
    func fellSilent(_ link: PeerLink, ways tunnels: [TunnelID: Tunnel]) {
        let handle = LinkHandle(link)
        switch self.state.withLock({ $0.places.fellSilent(handle, to: link.pod, ways: tunnels) }) {
        case .nothing: break
        case .giveUp: link.giveUp()
        case .dial: self.dial(link.pod)
        }
    }

    /// Something has come over a link again; on its event loop.
    ///
    /// - Returns: The tunnels that are to be given a way over it; `nil` if it is given up.
    func spoke(_ link: PeerLink) -> [Tunnel]? {
        let handle = LinkHandle(link)
        return self.state.withLock { $0.places.spoke(handle, to: link.pod) }
    }

    // MARK: Sessions

    /// Makes the session of a link that another edge has dialled, with a token of this key; on the channel's event loop.
    package func accepted(
        from pod: PodID,
        signedBy stamp: SigningKeyStamp,
        on channel: any Channel
    ) -> any ChannelHandler {
        self.handler(of: pod, as: .edge, signedBy: stamp, on: channel.eventLoop)
    }

    /// Ends the links that were opened with a key that is not to be trusted any more, and what is under way over them.
    package func endUnlessSigned(_ isTrusted: @escaping @Sendable (SigningKeyStamp) -> Bool) {
        for link in self.state.withLock({ $0.links }) {
            link.run { link in
                if let stamp = link.signedBy, !isTrusted(stamp) { link.revoke() }
            }
        }
    }

    private func handler(
        of pod: PodID,
        as role: SessionRole,
        signedBy stamp: SigningKeyStamp? = nil,
        on eventLoop: any EventLoop
    ) -> SessionHandler {
        let link = PeerLink(
            with: pod,
            on: eventLoop,
            isDialled: role == .connector,
            signedBy: stamp,
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
        let handle = LinkHandle(link)
        let (waiting, silent, isClosing) = self.state.withLock { state -> ([Tunnel], LinkHandle?, Bool) in
            state.links.insert(handle)
            let (waiting, silent) = state.places.opened(handle, to: link.pod)
            return (waiting, silent, state.isClosing)
        }
        guard !isClosing else { return link.drain(gracePeriod: .seconds(1)) }
        for tunnel in waiting { link.attach(tunnel) }
        // By now what it has under way has somewhere else to go.
        silent?.run { $0.giveUp() }
    }

    /// A link takes no more streams of this edge; on its event loop.
    func closing(_ link: PeerLink) {
        let handle = LinkHandle(link)
        self.state.withLock { $0.places.closing(handle, to: link.pod) }
    }

    /// A link is over; on its event loop.
    func ended(_ link: PeerLink) {
        let handle = LinkHandle(link)
        let done = self.state.withLock { state -> (@Sendable () -> Void)? in
            state.links.remove(handle)
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
        let links = self.state.withLock { state -> Set<LinkHandle> in
            state.isClosing = true
            if !state.links.isEmpty { state.whenEmpty = whenDone }
            return state.links
        }
        if links.isEmpty { return whenDone() }
        for link in links { link.run { $0.drain(gracePeriod: gracePeriod) } }
    }
}
