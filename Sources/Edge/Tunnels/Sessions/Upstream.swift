// SPDX-License-Identifier: Apache-2.0

import Mux
import NIOCore
import Protocol

/// Where a tunnel's requests can go: something that opens streams towards an origin.
///
/// Used on ``eventLoop``, but for the members that never change.
protocol Upstream: AnyObject {
    /// A number that is unique for the life of the edge; a later one is of a later upstream.
    var id: UInt64 { get }
    /// The number of the connection that the streams go over; several upstreams may share it.
    var connectionID: UInt64 { get }
    /// Where streams are opened, and live.
    var eventLoop: any EventLoop { get }
    /// What the other side knows the tunnel by, for TARGET of OPEN.
    var target: String { get }
    /// What is under way.
    var load: UpstreamLoad { get }
    /// Whether a stream could be opened without waiting for another one to end.
    var opensWithoutWaiting: Bool { get }

    /// Opens a stream; what is written to it goes out behind its OPEN, without waiting for an answer.
    ///
    /// - Parameters:
    ///   - metadata: What OPEN says of the request.
    ///   - kind: What the bytes are.
    ///   - deadline: How long the other side has to reach the origin.
    ///   - initializer: Adds the handlers.
    /// - Throws: `OpenError`, or what the initializer throws; nothing was sent.
    func open(
        _ metadata: OpenMetadata,
        kind: StreamKind,
        deadline: TimeAmount,
        initializer: (StreamChannel) throws -> Void
    ) throws -> StreamChannel

    /// Tells the other side something of the tunnel that it did not ask for, if it is of use to it.
    func tell(_ notice: ByteBuffer)

    /// Asks the other side at once whether it is there; until it answers the upstream is suspect.
    func probe()

    /// The other side has said that nothing comes from whoever it passes streams on to.
    func fellSilent()

    /// Lets the connection end in good order, with everything that goes over it.
    ///
    /// - Parameters:
    ///   - gracePeriod: How long streams may still run.
    ///   - lingering: How long streams may still be opened, as part of the grace.
    func drain(gracePeriod: TimeAmount, lingering: TimeAmount)

    /// Makes way for a newer upstream of the same connector and tunnel.
    ///
    /// - Parameter newer: The number of the connection that the newer one goes over.
    func giveWay(toConnection newer: UInt64)

    /// Ends the tunnel's use of the connection at once, with all requests that are under way.
    ///
    /// - Parameters:
    ///   - code: Why.
    ///   - reason: What the other side may show.
    func end(code: ErrorCode, reason: String)
}

extension Upstream {
    // Of a connector's session its own connection tells.
    func fellSilent() {}
}

/// What is under way on an ``Upstream``, and how it does.
struct UpstreamLoad: Equatable, Sendable {
    /// The streams of the tunnel that have not ended.
    var streams = 0
    /// The smoothed round-trip time, once it is known.
    var roundTrip: TimeAmount?
    /// When the other side's program last answered an echo.
    var lastEcho: NIODeadline?
    /// Whether the connection is about to end.
    var isDraining = false
}
