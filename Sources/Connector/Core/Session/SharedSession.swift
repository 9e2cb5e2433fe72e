// SPDX-License-Identifier: Apache-2.0

import Logging
import Mux
import NIOCore
import Program
import Protocol

/// One session with the edge that several tunnels share (docs/protocol.md §B.16).
///
/// Belongs to the session's event loop.
package final class SharedSession: SessionDelegate {
    /// How many streams may be open at once, idle ones included, of all tunnels together.
    private static let maximumStreams: UInt32 = 4_096
    /// The initial window of each stream, in bytes: half of the default, since there may be many more streams.
    private static let initialWindow: UInt32 = 32_768

    /// The most tunnels that a program serves; an edge allows a key a hundred by default.
    package static let maximumTunnels = 1_000
    /// How many tunnels may wait for their OPEN to be sent: all of them, twice over.
    private static let maximumWaitingTunnels = 2 * SharedSession.maximumTunnels

    private(set) weak var handler: SessionHandler?
    let eventLoop: any EventLoop
    /// Whether the edge shares sessions, once its HELLO has arrived; succeeds with `true` if the session ends before.
    let isSharing: EventLoopPromise<Bool>
    /// Called when the session has lost its connection and waits for another one; the task brings it.
    var whenSuspended: (() -> Task<Void, Never>)?
    /// Brings another connection, while the session has none: never two of them, as the edge keeps the last that comes.
    private var returning: Task<Void, Never>?
    /// Called once, when the edge has begun the session.
    var whenActive: (() -> Void)?
    /// What became of the connection, where it was to go on with another session.
    let returnOutcome: EventLoopPromise<ReturnOutcome>?
    /// Called once, when the session accepts no more tunnels.
    var whenUnusable: (() -> Void)?
    /// The session's bundle, and its index there.
    private let bundle: (spread: BundleSpread, index: UInt8)
    private var place: BundleSpread.Place?
    /// All seats that the end of the session ends.
    private var seats: [ObjectIdentifier: TunnelSeat] = [:]
    /// The seat that gets the streams of each tunnel: the latest that the edge accepted.
    private var routes: [String: TunnelSeat] = [:]
    /// The last seat, which ends when the session has ended.
    private var last: TunnelSeat?
    private var end: (code: ErrorCode, reason: String)?

    private init(
        eventLoop: any EventLoop,
        bundle: (spread: BundleSpread, index: UInt8),
        returnOutcome: EventLoopPromise<ReturnOutcome>?
    ) {
        self.eventLoop = eventLoop
        self.bundle = bundle
        self.returnOutcome = returnOutcome
        self.isSharing = eventLoop.makePromise()
    }

    deinit {
        // The handshake failed, which the dialer reports; NIO requires that every promise is completed.
        self.isSharing.succeed(true)
    }

    /// Makes a session and its handler; the handler retains the session.
    static func make(
        on eventLoop: any EventLoop,
        bundle: SessionSettings.Bundle,
        spread: BundleSpread = BundleSpread(),
        governor: MemoryGovernor,
        resuming earlier: SessionHandler? = nil,
        _ returnOutcome: EventLoopPromise<ReturnOutcome>? = nil,
        logger: Logger
    ) -> (handler: SessionHandler, session: SharedSession) {
        let session = SharedSession(
            eventLoop: eventLoop,
            bundle: (spread, bundle.index),
            returnOutcome: returnOutcome
        )
        var configuration = SessionConfiguration(role: .connector, governor: governor)
        configuration.capabilities = [.sharing, .renewal, .resume]
        configuration.settings.implementation = "culvert/\(ProgramVersion.current)"
        configuration.settings.bundle = bundle
        configuration.settings.maximumStreams = Self.maximumStreams
        configuration.settings.initialWindow = Self.initialWindow
        configuration.maximumWaitingOpens = Self.maximumWaitingTunnels
        let handler = SessionHandler(
            configuration: configuration,
            purpose: earlier.map { .resume($0) } ?? .newSession,
            delegate: session,
            logger: logger.ofSessions
        ) {
            session.serve($0)
        }
        session.handler = handler
        return (handler, session)
    }

    /// Gives a tunnel a seat in the session.
    ///
    /// - Parameters:
    ///   - token: The token of the tunnel.
    ///   - run: Which run of the tunnel asks.
    ///   - origin: Serves its streams.
    /// - Returns: The seat, which offers what a session of the tunnel alone offers.
    func addSeat(for token: TunnelToken, run: Int, origin: OriginDialer) -> TunnelSession {
        let events = AsyncStream.makeStream(of: TunnelSessionEvent.self)
        let seat = TunnelSeat(
            tunnelID: token.tunnelID,
            run: run,
            origin: origin,
            session: self,
            events: events.continuation
        )
        do {
            guard self.end == nil, self.last == nil, let handler else { throw OpenError.sessionUnavailable }
            // A run that is about to be stopped must not take the seat of the one that follows it.
            guard !self.hasNewer(than: seat) else { throw OpenError.sessionUnavailable }
            self.seats[ObjectIdentifier(seat)] = seat
            try seat.open(on: handler, token: token)
        } catch {
            self.seats[ObjectIdentifier(seat)] = nil
            let end = self.end ?? (.draining, "it takes no more tunnels")
            seat.sessionEnded(code: end.code, reason: end.reason)
        }
        return TunnelSession(events, control: seat, eventLoop: self.eventLoop)
    }

    /// Whether a later run of the same tunnel is served, or about to be.
    func hasNewer(than seat: TunnelSeat) -> Bool {
        self.seats.values.contains { other in
            other.tunnelID == seat.tunnelID && other.run > seat.run && !other.isDraining
        }
    }

    /// The edge has accepted the seat: it gets the streams of its tunnel from now on.
    func route(to seat: TunnelSeat) {
        self.routes[seat.tunnelID] = seat
    }

    /// Removes a seat.
    ///
    /// - Returns: Whether it was the last one: then the session drains, and the seat ends when the session has ended.
    func retire(_ seat: TunnelSeat) -> Bool {
        self.seats[ObjectIdentifier(seat)] = nil
        if self.routes[seat.tunnelID] === seat { self.routes[seat.tunnelID] = nil }
        guard self.seats.isEmpty, self.end == nil, let handler else { return false }
        self.becomeUnusable()
        self.last = seat
        handler.drain(gracePeriod: .seconds(1))
        return true
    }

    private func serve(_ stream: StreamChannel) {
        guard let opening = stream.opening, case .success(let metadata) = opening.metadata,
            let seat = self.routes[metadata.target]
        else {
            // The edge may have sent it before it learned that the seat is gone; it can try another session.
            return stream.reject(code: .draining, reason: "this connector serves no such tunnel now")
        }
        seat.serve(stream)
    }

    private func becomeUnusable() {
        self.place.take()?.leave()
        self.whenUnusable.take()?()
    }

    /// Has its tunnels go over to another session; what is under way goes on here.
    private func move() {
        guard let handler, handler.phase == .active, handler.suspension == nil, self.last == nil else { return }
        self.becomeUnusable()
        for seat in self.seats.values { seat.sessionIsDraining(code: .shutdown, reconnectAfter: .zero) }
        handler.drain(code: .shutdown, gracePeriod: BundleSpread.gracePeriod, reconnectAfter: .zero)
    }

    // MARK: Events of the handler

    package func sessionDidBecomeActive(_ session: SessionHandler, peer: SessionSettings) {
        let isSharing = session.capabilities.contains(.sharing)
        self.isSharing.succeed(isSharing)
        // Nobody else uses it, and it would count as one of the tunnel's connections.
        if !isSharing { session.close(code: .shutdown, reason: "") }
        if isSharing {
            self.whenActive.take()?()
            self.place = self.bundle.spread.arrived(self.bundle.index, peer, on: self.eventLoop) { [weak self] in
                self?.move()
            }
        }
        self.returnOutcome?.succeed(.newSession)
    }

    package func sessionDidSuspend(_ session: SessionHandler, reason: String) {
        for seat in self.seats.values { seat.sessionWasSuspended(reason: reason) }
        self.returning?.cancel()
        self.returning = self.whenSuspended?()
    }

    /// Another connection for the session could not be opened.
    func isStillAway(retryIn delay: Duration, reason: String) {
        guard self.handler?.suspension != nil else { return }
        for seat in self.seats.values { seat.sessionIsStillAway(retryIn: delay, reason: reason) }
    }

    package func sessionDidResume(_ session: SessionHandler, _ resumption: Resumption) {
        self.returning.take()?.cancel()
        for seat in self.seats.values { seat.sessionWasResumed(resumption) }
    }

    package func sessionDidHandOver(_ session: SessionHandler) {
        self.returnOutcome?.succeed(.resumed)
    }

    /// Tokens of the tunnels that the session serves, any of which lets a connection in.
    var tokens: [TunnelToken] { self.seats.values.compactMap(\.token) }

    package func sessionPeerIsDraining(
        _ session: SessionHandler,
        code: ErrorCode,
        gracePeriod: TimeAmount,
        reconnectAfter: TimeAmount
    ) {
        self.becomeUnusable()
        for seat in self.seats.values {
            seat.sessionIsDraining(code: code, reconnectAfter: .nanoseconds(reconnectAfter.nanoseconds))
        }
    }

    package func sessionDidEnd(_ session: SessionHandler, end: SessionEnd) {
        self.end = (end.code, end.reason)
        self.returning.take()?.cancel()
        self.returnOutcome?.fail(SessionOver(reason: end.reason))
        self.becomeUnusable()
        self.isSharing.succeed(true)
        for seat in self.seats.values { seat.sessionEnded(code: end.code, reason: end.reason) }
        self.last?.sessionEnded(code: .shutdown, reason: "")
        self.seats = [:]
        self.routes = [:]
        self.last = nil
    }
}
