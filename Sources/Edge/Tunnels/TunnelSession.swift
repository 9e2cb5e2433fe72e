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

/// One connector connection that serves a tunnel.
final class TunnelSession: Sendable {
    /// A number that is unique for the life of the edge.
    let id: UInt64
    /// The event loop of the connection; streams may be opened there only.
    let eventLoop: any EventLoop
    /// The session itself, to be used on ``eventLoop``.
    let handler: NIOLoopBound<SessionHandler>
    /// Its idle connections to the origin, to be used on ``eventLoop``.
    let pool: NIOLoopBound<StreamPool>
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
    init(
        id: UInt64,
        handler: SessionHandler,
        eventLoop: any EventLoop,
        remoteAddress: String?,
        implementation: String?,
        connectedAt: Date,
        tokenIssuedAt: Double,
        signedBy: SigningKeyStamp? = nil
    ) {
        self.id = id
        self.eventLoop = eventLoop
        self.handler = NIOLoopBound(handler, eventLoop: eventLoop)
        self.pool = NIOLoopBound(StreamPool(eventLoop: eventLoop), eventLoop: eventLoop)
        self.remoteAddress = remoteAddress
        self.implementation = implementation
        self.connectedAt = connectedAt
        self.tokenIssuedAt = tokenIssuedAt
        self.signedBy = signedBy
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
            sample.activeStreams = handler.activeStreamCount
            sample.isDraining = handler.phase != .active
        }
    }

    /// Asks the connector at once whether it is there, from any thread; until it answers the session is suspect.
    func doubt() {
        self.eventLoop.execute { self.handler.value.doubt() }
    }

    // MARK: The end

    /// Ends the session at once, from any thread.
    ///
    /// - Parameters:
    ///   - code: Why.
    ///   - reason: What the connector may show.
    func close(code: ErrorCode, reason: String) {
        self.eventLoop.execute { self.handler.value.close(code: code, reason: reason) }
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
