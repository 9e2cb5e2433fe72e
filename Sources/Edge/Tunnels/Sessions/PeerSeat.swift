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

/// A tunnel's way over a link between edges (docs/protocol.md §B.20): streams are opened at the other edge, which passes
/// them on to the connector that it has.
///
/// It costs nothing there until a stream is opened. Used on the link's event loop.
final class PeerSeat: Upstream {
    /// The most streams that one tunnel may have on a link: as many as it would have in a session of its own.
    private static let maximumStreams = 1_024
    /// Their numbers are none of connectors' sessions.
    private static let lastID = Atomic<UInt64>(1 << 63)

    let id: UInt64
    let eventLoop: any EventLoop
    let target: String
    private let link: SessionHandler
    private let group = StreamGroup()

    init(_ link: SessionHandler, tunnelID: TunnelID, eventLoop: any EventLoop) {
        self.id = Self.lastID.add(1, ordering: .relaxed).newValue
        self.link = link
        self.target = tunnelID.description
        self.eventLoop = eventLoop
    }

    var connectionID: UInt64 { self.id }
    var load: UpstreamLoad { self.link.load(streams: self.group.count) }
    var opensWithoutWaiting: Bool { self.link.opensWithoutWaiting && self.group.count < Self.maximumStreams }

    func open(
        _ metadata: OpenMetadata,
        kind: StreamKind,
        deadline: TimeAmount,
        initializer: (StreamChannel) throws -> Void
    ) throws -> StreamChannel {
        guard self.group.count < Self.maximumStreams else { throw OpenError.tooManyWaiting }
        return try self.link.openStream(
            kind: kind,
            metadata: metadata,
            deadline: deadline,
            group: self.group,
            initializer: initializer
        )
    }

    func end(code: ErrorCode, reason: String) {
        self.link.reset(self.group, code: code, reason: reason)
    }

    func fellSilent() {
        self.link.fellSilent(self.group)
    }

    // The link and its connector are the other edge's to look after.
    func tell(_ notice: ByteBuffer) {}
    func probe() {}
    func drain(gracePeriod: TimeAmount, lingering: TimeAmount) {}
    func giveWay(toConnection newer: UInt64) {}
}

extension TunnelSession {
    /// Makes the way of a tunnel over a link; on the link's event loop.
    ///
    /// - Parameters:
    ///   - tunnelID: The tunnel.
    ///   - pod: The other edge.
    ///   - link: The session with it.
    ///   - eventLoop: Its event loop.
    ///   - rejected: Told of each stream that was refused, on any thread.
    package static func way(
        of tunnelID: TunnelID,
        to pod: PodID,
        over link: SessionHandler,
        on eventLoop: any EventLoop,
        rejected: @escaping @Sendable (ErrorCode) -> Void
    )
        -> TunnelSession
    {
        TunnelSession(
            over: PeerSeat(link, tunnelID: tunnelID, eventLoop: eventLoop),
            remoteAddress: nil,
            implementation: nil,
            otherEdge: pod,
            connectedAt: Date.distantPast,
            tokenIssuedAt: 0,
            rejected: rejected
        )
    }
}
