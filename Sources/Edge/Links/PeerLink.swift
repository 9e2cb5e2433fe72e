// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTCP
import EdgeTunnels
import Logging
import Mux
import NIOCore
import Protocol

/// A session between this edge and another one (docs/protocol.md §B.20), whichever of the two has dialled.
///
/// It lives on the session's event loop. The table holds it from its HELLO to its end.
final class PeerLink: SessionDelegate {
    /// The edge at the other end.
    let pod: PodID
    let eventLoop: any EventLoop
    /// Whether that edge can be reached.
    let reach = LinkReach()
    /// Whether this edge has dialled.
    private let isDialled: Bool
    /// The key of the token that opened it, if the other edge has dialled.
    let signedBy: SigningKeyStamp?
    private let table: LinkTable
    private let logger: Logger
    // From the session's beginning to its end.
    private var handler: SessionHandler?
    private var ways: [TunnelID: Way] = [:]
    private var notices = SilenceNotices()
    /// The streams of the other edge.
    private let incoming = StreamGroup()
    /// As what the link is counted, from its beginning to its end.
    private var counted: LinkReach.State?
    private var figures = LinkFigures()
    private var looks = 0
    private var idleLooks = 0
    private var look: Scheduled<Void>?

    /// A tunnel's way over the link, as long as somebody has it.
    private struct Way {
        weak var session: TunnelSession?
        weak var tunnel: Tunnel?
        /// When the other edge has said that nothing comes from its sessions of the tunnel, unless it took that back.
        var silentSince: NIODeadline?
    }

    /// How often it is looked whether the link is used; while it is, the other edge is asked for an answer, so that one that
    /// is frozen is suspect after three to four seconds.
    private static let lookInterval = TimeAmount.seconds(1)
    /// After how many looks in a row without a stream the link ends.
    private static let mostIdleLooks = 60

    /// Prepares a link.
    ///
    /// - Parameters:
    ///   - pod: The edge at the other end, as its token or the directory names it.
    ///   - eventLoop: The event loop of the connection.
    ///   - isDialled: Whether this edge dials.
    ///   - signedBy: The key of the token that opened it, if the other edge has dialled.
    ///   - table: Is told of the link's beginning and end.
    init(
        with pod: PodID,
        on eventLoop: any EventLoop,
        isDialled: Bool,
        signedBy: SigningKeyStamp? = nil,
        table: LinkTable,
        logger: Logger
    ) {
        self.isDialled = isDialled
        self.signedBy = signedBy
        self.pod = pod
        self.eventLoop = eventLoop
        self.table = table
        self.logger = logger
    }

    /// How many streams are under way, idle ones included.
    var streamCount: Int { self.handler?.activeStreamCount ?? 0 }

    // MARK: Ways

    /// Gives a tunnel a way over the link.
    func attach(_ tunnel: Tunnel) {
        guard let handler, self.reach.state != .over else { return }
        // It fell silent while this was on its way to the event loop: the tunnel waits with the others.
        guard self.reach.state == .ready else { return self.table.attach(tunnel, at: self.pod) }
        if self.ways[tunnel.id]?.session != nil, tunnel.hasWay(to: self.pod) { return }
        let recorder = self.table.recorder
        let session = TunnelSession.way(of: tunnel.id, to: self.pod, over: handler, on: self.eventLoop) {
            recorder.streamRejected($0)
        }
        let silentSince = self.ways[tunnel.id]?.silentSince
        self.ways[tunnel.id] = Way(session: session, tunnel: tunnel, silentSince: silentSince)
        tunnel.attach(session, at: self.pod, self.reach)
        if let silentSince { tunnel.setSilent(true, at: session, now: silentSince) }
    }

    // MARK: Streams of the other edge

    /// Passes a stream on to a connector of this edge, and to no other edge: one hop, and no loop.
    func accept(_ stream: StreamChannel) {
        guard self.handler != nil, let opening = stream.opening else {
            return stream.reject(code: .draining, reason: "the link is not ready")
        }
        if opening.kind == .notice { return self.read(stream, opening) }
        guard opening.kind == .http || opening.kind == .tcp || opening.kind == .tls else {
            return stream.reject(code: .unsupportedKind)
        }
        guard case .success(let metadata) = opening.metadata, let id = TunnelID(metadata.target),
            let tunnel = self.table.tunnels.tunnel(id),
            let session = tunnel.pickLocalSession(preferring: self.eventLoop, orSilent: true)
        else {
            self.table.recorder.streamRefused()
            return stream.reject(code: .draining, reason: "no connector of the tunnel is here")
        }
        self.table.recorder.streamRelayed()
        stream.join(self.incoming)
        StreamJoint.relay(stream, over: session)
        // From now on the other edge is told when that changes.
        if self.notices.passedOn(id, isSuspect: tunnel.isSuspect) { self.tell(true, of: id) }
    }

    // MARK: Silent sessions

    /// Tells the other edge that nothing comes from the sessions that a tunnel has here, or something does again.
    ///
    /// Requests that may go to sessions at other edges had better do so; nobody here knows whether there are any.
    func tell(_ isSuspect: Bool, of id: TunnelID) {
        guard let handler, let notice = LinkNotice(isSilent: isSuspect).encoded else { return }
        guard self.notices.isNews(isSuspect, of: id) else { return self.notices.settle(id) }
        let hadPlace = handler.tell(notice, target: id.description)
        self.notices.sent(isSuspect, of: id, hadPlace: hadPlace)
    }

    /// Tells what found no place before, as it is now.
    private func tellOwed() {
        for id in self.notices.owed {
            guard let tunnel = self.table.tunnels.tunnel(id) else {
                self.notices.settle(id)
                continue
            }
            self.tell(tunnel.isSuspect, of: id)
        }
    }

    private func read(_ stream: StreamChannel, _ opening: OpenFrame) {
        guard case .success(let metadata) = opening.metadata, let id = TunnelID(metadata.target) else {
            return stream.reject(code: .targetUnknown, reason: "it names no tunnel")
        }
        NoticeReader.read(stream) { bytes in
            guard let isSilent = LinkNotice(bytes)?.isSilent else { return }
            self.ways[id]?.silentSince = isSilent ? .now() : nil
            guard let way = self.ways[id], let session = way.session else { return }
            // Whoever is told to look for another way finds no silent one.
            way.tunnel?.setSilent(isSilent, at: session)
            if isSilent { session.fellSilent() }
        }
    }

    // MARK: What the session tells

    func sessionDidBecomeActive(_ handler: SessionHandler, peer: SessionSettings) {
        guard handler.capabilities.contains(.peer), peer.pod == self.pod.description else {
            return handler.close(code: .protocolError, reason: "the other side is not the edge that was meant")
        }
        self.handler = handler
        self.count(as: .ready)
        self.table.opened(self)
        self.logger.info(
            "link opened",
            metadata: ["pod": "\(self.pod)", "implementation": "\(peer.implementation ?? "-")"]
        )
        self.scheduleLook()
    }

    /// While nothing comes, requests go elsewhere or wait, and another link is dialled: which of the two comes first, that or
    /// a word over this one, is used.
    func sessionSuspicionDidChange(_ handler: SessionHandler) {
        let isSilent = handler.isSilent
        guard self.handler != nil, self.reach.state != .over, isSilent != (self.reach.state == .silent) else { return }
        if isSilent {
            self.become(.silent)
            self.table.fellSilent(self, ways: self.ways.compactMapValues { $0.session == nil ? nil : $0.tunnel })
        } else if let waiting = self.table.spoke(self) {
            self.become(.ready)
            for tunnel in waiting { self.attach(tunnel) }
            for way in self.ways.values { if let session = way.session { way.tunnel?.spoke(at: session) } }
        }
    }

    func sessionPeerIsDraining(
        _ handler: SessionHandler,
        code: ErrorCode,
        gracePeriod: TimeAmount,
        reconnectAfter: TimeAmount
    ) {
        self.close()
    }

    func sessionDidEnd(_ handler: SessionHandler, end: SessionEnd) {
        self.close()
        self.look?.cancel()
        guard self.handler != nil else {
            if self.isDialled { self.table.failed(self.pod, end) }
            return
        }
        self.handler = nil
        self.count(as: nil)
        self.count(LinkFigures())
        self.table.ended(self)
        self.logger.info(
            "link closed",
            metadata: ["pod": "\(self.pod)", "code": "\(end.code)", "reason": "\(end.reason)"]
        )
    }

    // MARK: The end

    /// Opens no more streams; what is under way goes on.
    private func close() {
        self.become(.over)
        // Nothing but idle connections to origins would keep the other edge from leaving.
        for way in self.ways.values { way.session?.pool.value.close() }
        self.ways.removeAll()
        self.table.closing(self)
    }

    /// The other edge is not waited for: no stream of this edge begins here any more, and what it has not taken is lost.
    ///
    /// What it has taken goes on, should it speak again before the session's idle time-out.
    func giveUp() {
        guard self.reach.state != .over else { return }
        self.logger.notice("link given up, since nothing comes over it", metadata: ["pod": "\(self.pod)"])
        self.close()
        self.handler?.giveUpPeer()
    }

    /// Ends the link at once, with what is under way over it: its key is not to be trusted any more.
    func revoke() {
        self.logger.notice("link ended, since its key is gone", metadata: ["pod": "\(self.pod)"])
        self.close()
        self.handler?.close(code: .authExpired, reason: "the key of the link's token was taken away")
    }

    /// Ends the link in good order.
    func drain(gracePeriod: TimeAmount) {
        self.close()
        self.handler?.drain(code: .shutdown, gracePeriod: gracePeriod, reconnectAfter: .zero)
    }

    // MARK: Figures

    private func become(_ state: LinkReach.State) {
        self.reach.state = state
        // One that never opened is counted as a failure.
        if self.counted != nil { self.count(as: self.reach.state) }
    }

    private func count(as state: LinkReach.State?) {
        self.table.recorder.linkChanged(from: self.counted, to: state)
        self.counted = state
    }

    private func count(_ figures: LinkFigures) {
        guard figures != self.figures else { return }
        self.table.recorder.linkStreamsChanged(from: self.figures, to: figures)
        self.figures = figures
    }

    private func scheduleLook() {
        self.look = self.eventLoop.assumeIsolated().scheduleTask(in: Self.lookInterval) {
            guard let handler = self.handler else { return }
            let streams = handler.activeStreamCount
            let incoming = self.incoming.count
            self.count(LinkFigures(outgoing: max(0, streams - incoming), incoming: incoming))
            let isUsed = streams > 0
            self.idleLooks = isUsed ? 0 : self.idleLooks + 1
            if isUsed { handler.requestEcho() } else { self.notices.rest() }
            self.tellOwed()
            // What nobody has any more is forgotten now and then.
            self.looks += 1
            if self.looks.isMultiple(of: 15) {
                self.ways = self.ways.filter { $0.value.session != nil }
                self.notices.forget { self.table.tunnels.tunnel($0) == nil }
            }
            if self.idleLooks >= Self.mostIdleLooks {
                self.drain(gracePeriod: .seconds(10))
            } else {
                self.scheduleLook()
            }
        }
    }
}
