// SPDX-License-Identifier: Apache-2.0

import Logging
import Mux
import NIOCore
import Protocol

/// One session with the edge that several tunnels share (docs/protocol.md §B.16).
///
/// Everything here happens on the session's event loop.
package final class SharedSession: SessionDelegate {
    /// How many streams may be open at once: those of all tunnels, and the idle ones among them.
    private static let maximumStreams: UInt32 = 4_096
    /// Credit of each stream at the start, in bytes: half of the usual, as there may be so many more.
    private static let initialWindow: UInt32 = 32_768

    /// The most tunnels that a program serves; an edge gives a key no more than a hundred unless told to.
    package static let maximumTunnels = 1_000
    /// How many tunnels may wait for their turn to ask the edge: all of them twice over.
    private static let maximumWaitingTunnels = 2 * SharedSession.maximumTunnels

    private(set) weak var handler: SessionHandler?
    let eventLoop: any EventLoop
    /// Whether the edge shares sessions, once its HELLO came; also kept if it never comes.
    let isSharing: EventLoopPromise<Bool>
    /// Runs once, when the session takes no more tunnels.
    var whenUnusable: (() -> Void)?
    /// Everybody who is to hear of the end.
    private var attachments: [ObjectIdentifier: TunnelSeat] = [:]
    /// Who serves the streams of a tunnel: the latest that the edge let in.
    private var routes: [String: TunnelSeat] = [:]
    /// The last to leave, who waits for the session's own leave.
    private var last: TunnelSeat?
    private var end: (code: ErrorCode, reason: String)?

    private init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        self.isSharing = eventLoop.makePromise()
    }

    deinit {
        // The handshake failed, of which whoever asked has heard; a promise has to be kept all the same.
        self.isSharing.succeed(true)
    }

    /// Makes a session and the handler that it speaks through; the handler holds it.
    static func make(
        on eventLoop: any EventLoop,
        bundle: SessionSettings.Bundle,
        governor: MemoryGovernor,
        logger: Logger
    ) -> (handler: SessionHandler, session: SharedSession) {
        let session = SharedSession(eventLoop: eventLoop)
        var configuration = SessionConfiguration(role: .connector, governor: governor)
        configuration.capabilities = .sharing
        configuration.settings.implementation = "culvert/\(ProgramVersion.current)"
        configuration.settings.bundle = bundle
        configuration.settings.maximumStreams = Self.maximumStreams
        configuration.settings.initialWindow = Self.initialWindow
        configuration.maximumWaitingOpens = Self.maximumWaitingTunnels
        let handler = SessionHandler(configuration: configuration, delegate: session, logger: logger.ofSessions) {
            session.serve($0)
        }
        session.handler = handler
        return (handler, session)
    }

    /// Has the session serve a tunnel.
    ///
    /// - Parameters:
    ///   - token: What lets the connector serve it.
    ///   - run: Which run of the tunnel asks.
    ///   - origin: Serves its streams.
    /// - Returns: What looks like a session of the tunnel alone.
    func attach(_ token: TunnelToken, run: Int, origin: OriginDialer) -> TunnelSession {
        let (events, continuation) = AsyncStream.makeStream(of: TunnelSessionEvent.self)
        let attachment = TunnelSeat(
            tunnelID: token.tunnelID,
            run: run,
            origin: origin,
            session: self,
            events: continuation
        )
        do {
            guard self.end == nil, self.last == nil, let handler else { throw OpenError.sessionUnavailable }
            // A run that is about to be stopped must not take the place of the one that follows it.
            guard !self.hasNewer(than: attachment) else { throw OpenError.sessionUnavailable }
            self.attachments[ObjectIdentifier(attachment)] = attachment
            try attachment.open(on: handler, token: token)
        } catch {
            self.attachments[ObjectIdentifier(attachment)] = nil
            let end = self.end ?? (.draining, "it takes no more tunnels")
            attachment.sessionEnded(code: end.code, reason: end.reason)
        }
        return TunnelSession(events: events, control: attachment, eventLoop: self.eventLoop)
    }

    /// Whether a later run of the same tunnel is served, or about to be.
    func hasNewer(than attachment: TunnelSeat) -> Bool {
        self.attachments.values.contains { other in
            other.tunnelID == attachment.tunnelID && other.run > attachment.run && !other.isLeaving
        }
    }

    /// The edge has let a tunnel in: its streams are for this one from now on.
    func route(to attachment: TunnelSeat) {
        self.routes[attachment.tunnelID] = attachment
    }

    /// Somebody is done with the session.
    ///
    /// - Returns: Whether it was the last, who then hears of the end of the session itself.
    func retire(_ attachment: TunnelSeat) -> Bool {
        self.attachments[ObjectIdentifier(attachment)] = nil
        if self.routes[attachment.tunnelID] === attachment { self.routes[attachment.tunnelID] = nil }
        guard self.attachments.isEmpty, self.end == nil, let handler else { return false }
        self.becomeUnusable()
        self.last = attachment
        handler.leave(gracePeriod: .seconds(1))
        return true
    }

    private func serve(_ stream: StreamChannel) {
        guard let opening = stream.opening, case .success(let metadata) = opening.metadata,
            let attachment = self.routes[metadata.target]
        else {
            // Perhaps on its way when the tunnel left; whoever sent it can try elsewhere.
            return stream.reject(code: .draining, reason: "this connector serves no such tunnel now")
        }
        attachment.serve(stream)
    }

    private func becomeUnusable() {
        self.whenUnusable.take()?()
    }

    // MARK: What the handler tells

    package func sessionDidBecomeActive(_ session: SessionHandler, peer: SessionSettings) {
        let isSharing = session.capabilities.contains(.sharing)
        self.isSharing.succeed(isSharing)
        // It was opened to be shared, and would be in the way of the connections that replace it.
        if !isSharing { session.close(code: .shutdown, reason: "") }
    }

    package func sessionPeerIsDraining(
        _ session: SessionHandler,
        code: ErrorCode,
        gracePeriod: TimeAmount,
        reconnectAfter: TimeAmount
    ) {
        self.becomeUnusable()
        for attachment in self.attachments.values {
            attachment.sessionIsDraining(code: code, reconnectAfter: .nanoseconds(reconnectAfter.nanoseconds))
        }
    }

    package func sessionDidEnd(_ session: SessionHandler, end: SessionEnd) {
        self.end = (end.code, end.reason)
        self.becomeUnusable()
        self.isSharing.succeed(true)
        for attachment in self.attachments.values { attachment.sessionEnded(code: end.code, reason: end.reason) }
        self.last?.sessionEnded(code: .shutdown, reason: "")
        self.attachments = [:]
        self.routes = [:]
        self.last = nil
    }
}
