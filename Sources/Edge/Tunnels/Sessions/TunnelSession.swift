// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Mux
import NIOCore
import Protocol
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// An ``Upstream`` as one tunnel uses it: with the idle connections to the origin that it keeps, the figures that other
/// threads see, and the end of its token.
package final class TunnelSession: Upstream, Sendable {
    /// A number that is unique for the life of the edge.
    package let id: UInt64
    /// The number of the connection: that of the session, unless tunnels share it.
    let connectionID: UInt64
    /// The event loop of the connection; streams may be opened there only.
    package let eventLoop: any EventLoop
    /// What opens streams, to be used on ``eventLoop``.
    let upstream: NIOLoopBound<any Upstream>
    /// Its idle connections to the origin, to be used on ``eventLoop``.
    package let pool: NIOLoopBound<StreamPool>
    /// What the connector knows the tunnel by, for TARGET of OPEN.
    package let target: String
    /// Where the connector connects from.
    package let remoteAddress: String?
    /// What the connector calls itself.
    package let implementation: String?
    /// The machine and the local server that it serves the tunnel from, if its token says so.
    let servedFrom: String?
    /// The edge that has the connector, where the way leads over a link; `nil` for a connector of this edge.
    package let otherEdge: PodID?
    /// When it connected.
    let connectedAt: Date
    /// Told of each stream that was refused; `nil` where nobody counts them.
    private let rejected: (@Sendable (ErrorCode) -> Void)?
    /// What was last seen on the event loop, for readers on other threads.
    private struct Sample {
        var roundTrip: TimeAmount?
        var lastEcho: Date?
        var activeStreams = 0
        var isDraining = false
        var suspendedSince: Date?
        var expiry: Scheduled<Void>?
        var expiresAt: Date?
        var tokenIssuedAt: Double
        var signedBy: SigningKeyStamp?
    }

    private let sample: Mutex<Sample>

    /// Makes a session; to be called on the upstream's event loop.
    ///
    /// - Parameters:
    ///   - upstream: What opens streams.
    ///   - remoteAddress: Where the connector connects from.
    ///   - implementation: What the connector calls itself.
    ///   - servedFrom: What the token says of where the tunnel is served from.
    ///   - otherEdge: The edge that has the connector, if it is not this one.
    ///   - connectedAt: When it connected.
    ///   - tokenIssuedAt: When its token was issued, in seconds since 1970.
    ///   - signedBy: The key that signed the token.
    ///   - rejected: Told of each stream that was refused, on any thread.
    ///   - makeRoomElsewhere: Gives up an idle connection of another tunnel that shares the connection.
    init(
        over upstream: any Upstream,
        remoteAddress: String?,
        implementation: String?,
        servedFrom: String? = nil,
        otherEdge: PodID? = nil,
        connectedAt: Date,
        tokenIssuedAt: Double,
        signedBy: SigningKeyStamp? = nil,
        rejected: (@Sendable (ErrorCode) -> Void)? = nil,
        makeRoomElsewhere: (() -> Void)? = nil
    ) {
        self.id = upstream.id
        self.connectionID = upstream.connectionID
        self.target = upstream.target
        self.eventLoop = upstream.eventLoop
        self.upstream = NIOLoopBound(upstream, eventLoop: upstream.eventLoop)
        self.pool = NIOLoopBound(
            StreamPool(eventLoop: upstream.eventLoop, makeRoomElsewhere: makeRoomElsewhere),
            eventLoop: upstream.eventLoop
        )
        self.remoteAddress = remoteAddress
        self.implementation = implementation
        self.servedFrom = servedFrom
        self.otherEdge = otherEdge
        self.connectedAt = connectedAt
        self.rejected = rejected
        self.sample = Mutex(Sample(tokenIssuedAt: tokenIssuedAt, signedBy: signedBy))
    }

    // MARK: Streams

    var load: UpstreamLoad { self.upstream.value.load }
    var opensWithoutWaiting: Bool { self.upstream.value.opensWithoutWaiting }

    /// Opens a stream for the tunnel, if need be in place of an idle one; on the event loop.
    package func open(
        _ metadata: OpenMetadata,
        kind: StreamKind,
        deadline: TimeAmount,
        initializer: (StreamChannel) throws -> Void
    ) throws -> StreamChannel {
        let upstream = self.upstream.value
        if !upstream.opensWithoutWaiting { self.pool.value.makeRoom() }
        return try upstream.open(metadata, kind: kind, deadline: deadline, initializer: initializer)
    }

    /// Tells the connector something of the tunnel; on the event loop.
    func tell(_ notice: ByteBuffer) {
        self.upstream.value.tell(notice)
    }

    /// A stream that was opened here has failed; from any thread.
    package func streamFailed(_ error: StreamError) {
        if error.origin == .rejected { self.rejected?(error.code) }
    }

    // MARK: Figures

    /// What the control API shows of the session; figures are a few seconds old at most.
    package var status: SessionStatus {
        let sample = self.sample.withLock { $0 }
        return SessionStatus(
            sessionID: String(self.id),
            remoteAddress: self.remoteAddress,
            implementation: self.implementation,
            connectedAt: self.connectedAt,
            roundTripMilliseconds: sample.roundTrip.map { Double($0.nanoseconds / 1000) / 1000 },
            lastEchoAt: sample.lastEcho,
            activeStreams: sample.activeStreams,
            draining: sample.isDraining,
            suspendedSince: sample.suspendedSince
        )
    }

    /// Takes the figures of the moment; on the event loop.
    func refreshSample() {
        let load = self.load
        let echo = load.lastEcho.map { Date(timeIntervalSinceNow: -Double((.now() - $0).nanoseconds) / 1e9) }
        self.sample.withLock { sample in
            sample.roundTrip = load.roundTrip
            sample.lastEcho = echo
            sample.activeStreams = load.streams
            sample.isDraining = load.isDraining
        }
    }

    /// Notes since when the session has no connection, if it has none; on the event loop.
    func setSuspended(since date: Date?) {
        self.sample.withLock { $0.suspendedSince = date }
    }

    /// Asks the connector at once whether it is there, from any thread; until it answers the session is suspect.
    func probe() {
        self.eventLoop.execute { self.upstream.value.probe() }
    }

    /// Lets requests under way know that nothing comes from whoever the other edge passes them on to; on the event loop.
    package func fellSilent() {
        self.upstream.value.fellSilent()
    }

    // MARK: Its token

    /// When the token by which it serves was issued, in seconds since 1970.
    package var tokenIssuedAt: Double { self.sample.withLock { $0.tokenIssuedAt } }

    /// The key that signed that token; `nil` where that does not matter.
    package var signedBy: SigningKeyStamp? { self.sample.withLock { $0.signedBy } }

    /// When the session ends at the latest; `nil` before that is known.
    var expiresAt: Date? { self.sample.withLock { $0.expiresAt } }

    /// Goes on by another token, unless that was issued earlier than the one it has.
    ///
    /// Whoever ends tokens may have done so meanwhile: ``limitLifetime(to:now:)`` has to follow with what holds then.
    ///
    /// - Parameters:
    ///   - issuedAt: When that token was issued, in seconds since 1970.
    ///   - signedBy: The key that signed it.
    ///   - date: When it ends.
    /// - Returns: Whether it was taken.
    func renew(issuedAt: Double, signedBy: SigningKeyStamp?, until date: Date, now: Date = Date()) -> Bool {
        self.sample.withLock { sample in
            guard issuedAt > sample.tokenIssuedAt else { return false }
            sample.tokenIssuedAt = issuedAt
            sample.signedBy = signedBy
            self.end(at: date, now: now, &sample)
            return true
        }
    }

    // MARK: The end

    /// Ends the session at once, from any thread; a connection that is shared goes on for the other tunnels.
    package func end(code: ErrorCode, reason: String) {
        self.eventLoop.execute { self.upstream.value.end(code: code, reason: reason) }
    }

    /// Makes way for a newer session of the same connector and tunnel, from any thread.
    func giveWay(toConnection newer: UInt64) {
        self.eventLoop.execute {
            self.pool.value.close()
            self.upstream.value.giveWay(toConnection: newer)
        }
    }

    /// Lets the connection end in good order, from any thread.
    package func drain(gracePeriod: TimeAmount, lingering: TimeAmount = .zero) {
        self.eventLoop.execute {
            self.pool.value.close()
            self.upstream.value.drain(gracePeriod: gracePeriod, lingering: lingering)
        }
    }

    /// Ends the session because its token is no longer valid.
    package func revoke() {
        self.end(code: .authExpired, reason: "the token has ended or was revoked")
    }

    /// Ends the session at a time, unless it ends before anyway.
    package func limitLifetime(to date: Date, now: Date = Date()) {
        self.sample.withLock { sample in
            if let expiresAt = sample.expiresAt, expiresAt <= date { return }
            self.end(at: date, now: now, &sample)
        }
    }

    private func end(at date: Date, now: Date, _ sample: inout Sample) {
        let delay = TimeAmount.nanoseconds(Int64(max(0, min(date.timeIntervalSince(now), 1e9)) * 1e9))
        sample.expiresAt = date
        sample.expiry?.cancel()
        sample.expiry = self.eventLoop.scheduleTask(in: delay) { self.revoke() }
    }

    /// Forgets the timer of a session that has ended.
    func cancelTimers() {
        self.sample.withLock { sample in
            sample.expiry?.cancel()
            sample.expiry = nil
        }
    }
}
