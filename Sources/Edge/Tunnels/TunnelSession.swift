// SPDX-License-Identifier: Apache-2.0

import Mux
import NIOCore
import Protocol
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// One connector connection that serves a tunnel, which it may share with other tunnels.
final class TunnelSession: Sendable {
    /// A number that is unique for the life of the edge.
    let id: UInt64
    /// The number of the connection: that of the session, unless tunnels share it.
    let connectionID: UInt64
    /// The event loop of the connection; streams may be opened there only.
    let eventLoop: any EventLoop
    /// The session itself, to be used on ``eventLoop``.
    let handler: NIOLoopBound<SessionHandler>
    /// Its idle connections to the origin, to be used on ``eventLoop``.
    let pool: NIOLoopBound<StreamPool>
    /// The tunnel's place in a session that others share; `nil` where it has the session for itself.
    ///
    /// To be used on ``eventLoop``.
    let seat: NIOLoopBound<SharedSeat>?
    /// What the connector knows the tunnel by, for TARGET of OPEN.
    let target: String
    /// Where the connector connects from.
    let remoteAddress: String?
    /// What the connector calls itself.
    let implementation: String?
    /// When it connected.
    let connectedAt: Date
    /// When the token was issued with which it connected, in seconds since 1970.
    let tokenIssuedAt: Double
    /// The key that signed that token; `nil` where that does not matter.
    let signedBy: SigningKeyStamp?

    /// What was last seen on the event loop, for readers on other threads.
    private struct Sample {
        var roundTrip: TimeAmount?
        var lastEcho: Date?
        var activeStreams = 0
        var isDraining = false
        var expiry: Scheduled<Void>?
        var expiresAt: Date?
    }

    private let sample = Mutex(Sample())

    /// Makes a session; to be called on the handler's event loop.
    ///
    /// - Parameters:
    ///   - id: A number that is unique for the life of the edge.
    ///   - sharing: Where several tunnels share the connection: its number, what the connector knows the tunnel by, and
    ///     its place.
    ///   - handler: The session itself.
    ///   - eventLoop: The event loop of the connection.
    ///   - remoteAddress: Where the connector connects from.
    ///   - implementation: What the connector calls itself.
    ///   - connectedAt: When it connected.
    ///   - tokenIssuedAt: When its token was issued, in seconds since 1970.
    ///   - signedBy: The key that signed the token.
    ///   - makeRoomElsewhere: Gives up an idle connection of another tunnel that shares the session.
    init(
        id: UInt64,
        sharing: (connectionID: UInt64, target: String, seat: SharedSeat)? = nil,
        handler: SessionHandler,
        eventLoop: any EventLoop,
        remoteAddress: String?,
        implementation: String?,
        connectedAt: Date,
        tokenIssuedAt: Double,
        signedBy: SigningKeyStamp? = nil,
        makeRoomElsewhere: (() -> Void)? = nil
    ) {
        self.id = id
        self.connectionID = sharing?.connectionID ?? id
        self.target = sharing?.target ?? TargetName.primary
        self.seat = sharing.map { NIOLoopBound($0.seat, eventLoop: eventLoop) }
        self.eventLoop = eventLoop
        self.handler = NIOLoopBound(handler, eventLoop: eventLoop)
        self.pool = NIOLoopBound(
            StreamPool(eventLoop: eventLoop, makeRoomElsewhere: makeRoomElsewhere),
            eventLoop: eventLoop
        )
        self.remoteAddress = remoteAddress
        self.implementation = implementation
        self.connectedAt = connectedAt
        self.tokenIssuedAt = tokenIssuedAt
        self.signedBy = signedBy
    }

    /// The most streams that one tunnel may have in a session that is shared: as many as it would have in its own.
    private static let maximumStreams = 1_024

    /// Whether a stream may be opened for the tunnel; on the event loop.
    ///
    /// - Throws: ``OpenError`` if not.
    func checkMayOpen() throws(OpenError) {
        guard let seat = self.seat?.value else { return }
        guard !seat.isOver else { throw .sessionUnavailable }
        guard seat.group.count < Self.maximumStreams else { throw .tooManyWaiting }
    }

    /// What the control API shows of the session; figures are a few seconds old at most.
    var status: SessionStatus {
        let sample = self.sample.withLock { $0 }
        return SessionStatus(
            sessionID: String(self.id),
            remoteAddress: self.remoteAddress,
            implementation: self.implementation,
            connectedAt: self.connectedAt,
            roundTripMilliseconds: sample.roundTrip.map { Double($0.nanoseconds / 1000) / 1000 },
            lastEchoAt: sample.lastEcho,
            activeStreams: sample.activeStreams,
            draining: sample.isDraining
        )
    }

    /// Takes the figures of the moment; on the event loop.
    func refreshSample() {
        let handler = self.handler.value
        let echo = handler.lastEcho.map { Date(timeIntervalSinceNow: -Double((.now() - $0).nanoseconds) / 1e9) }
        self.sample.withLock { sample in
            sample.roundTrip = handler.roundTripTime
            sample.lastEcho = echo
            sample.activeStreams = self.seat?.value.group.count ?? handler.activeStreamCount
            sample.isDraining = handler.phase != .active
        }
    }

    /// Asks the connector at once whether it is there, from any thread; until it answers the session is suspect.
    func doubt() {
        self.eventLoop.execute { self.handler.value.doubt() }
    }

    // MARK: The end

    /// Ends the session at once, from any thread; one that is shared goes on for the other tunnels.
    ///
    /// - Parameters:
    ///   - code: Why.
    ///   - reason: What the connector may show.
    func close(code: ErrorCode, reason: String) {
        self.eventLoop.execute {
            if let seat = self.seat {
                seat.value.end(code: code, reason: reason)
            } else {
                self.handler.value.close(code: code, reason: reason)
            }
        }
    }

    /// How long requests may go on in a place that has been taken.
    private static let gracePeriod = TimeAmount.seconds(30)

    /// Makes way for a newer session of the same connector and tunnel, from any thread.
    func giveWay(to newer: TunnelSession) {
        self.eventLoop.execute {
            if let seat = self.seat, self.connectionID == newer.connectionID {
                // The connector serves the tunnel anew, perhaps with other settings: requests under way may end.
                self.pool.value.close()
                seat.value.leave()
                self.eventLoop.scheduleTask(in: Self.gracePeriod) {
                    seat.value.end(code: .sessionClosing, reason: "the grace period is over")
                }
            } else if self.handler.value.phase != .draining {
                // The connector has opened the newer connection because this one was dead to it, with all it served.
                self.handler.value.close(
                    code: .replaced,
                    reason: "a newer connection of the same connector has taken over"
                )
            }
        }
    }

    /// Lets the session end in good order, from any thread.
    ///
    /// - Parameters:
    ///   - gracePeriod: How long streams may still run.
    ///   - lingering: How long the session still takes new requests, as part of the grace.
    func drain(gracePeriod: TimeAmount, lingering: TimeAmount = .zero) {
        self.eventLoop.execute {
            self.pool.value.close()
            self.handler.value.drain(
                code: .shutdown,
                gracePeriod: gracePeriod,
                reconnectAfter: .milliseconds(100),
                lingering: lingering
            )
        }
    }

    /// Ends the session because its token is no longer valid.
    func revoke() {
        self.close(code: .authExpired, reason: "the token has ended or was revoked")
    }

    /// Ends the session at a time, unless it ends before anyway.
    func limitLifetime(to date: Date, now: Date = Date()) {
        let delay = TimeAmount.nanoseconds(Int64(max(0, min(date.timeIntervalSince(now), 1e9)) * 1e9))
        self.sample.withLock { sample in
            if let expiresAt = sample.expiresAt, expiresAt <= date { return }
            sample.expiresAt = date
            sample.expiry?.cancel()
            sample.expiry = self.eventLoop.scheduleTask(in: delay) { self.revoke() }
        }
    }

    /// Forgets the timer of a session that has ended.
    func cancelTimers() {
        self.sample.withLock { sample in
            sample.expiry?.cancel()
            sample.expiry = nil
        }
    }
}
