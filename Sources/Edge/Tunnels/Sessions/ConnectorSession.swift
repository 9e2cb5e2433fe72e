// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Mux
import NIOCore
import Protocol

/// A connector's session that one tunnel has for itself.
final class ConnectorSession: Upstream {
    let id: UInt64
    let eventLoop: any EventLoop
    private let handler: SessionHandler

    /// Makes the upstream of a session.
    ///
    /// - Parameters:
    ///   - id: The number of the session, which is that of its connection, too.
    ///   - handler: The session.
    ///   - eventLoop: The event loop of the connection.
    init(id: UInt64, handler: SessionHandler, eventLoop: any EventLoop) {
        self.id = id
        self.handler = handler
        self.eventLoop = eventLoop
    }

    var connectionID: UInt64 { self.id }
    var target: String { TargetName.primary }
    var load: UpstreamLoad { self.handler.load(streams: self.handler.activeStreamCount) }
    var opensWithoutWaiting: Bool { self.handler.opensWithoutWaiting }

    func open(
        _ metadata: OpenMetadata,
        kind: StreamKind,
        deadline: TimeAmount,
        initializer: (StreamChannel) throws -> Void
    ) throws -> StreamChannel {
        try self.handler.openStream(kind: kind, metadata: metadata, deadline: deadline, initializer: initializer)
    }

    func tell(_ notice: ByteBuffer) {
        self.handler.tell(notice, target: self.target)
    }

    func probe() {
        self.handler.probe()
    }

    func drain(gracePeriod: TimeAmount, lingering: TimeAmount) {
        self.handler.leave(gracePeriod: gracePeriod, lingering: lingering)
    }

    func giveWay(toConnection newer: UInt64) {
        self.handler.giveWay()
    }

    func end(code: ErrorCode, reason: String) {
        self.handler.close(code: code, reason: reason)
    }
}

extension SessionHandler {
    /// Sends a notice of a tunnel; a peer that does not know the kind refuses the stream, and no harm is done.
    ///
    /// - Returns: Whether there was a stream for it.
    @discardableResult
    package func tell(_ notice: ByteBuffer, target: String) -> Bool {
        guard
            let stream = try? self.openStream(
                kind: .notice,
                metadata: OpenMetadata(target: target),
                initializer: { _ in }
            )
        else { return false }
        stream.writeAndFlush(notice, promise: nil)
        stream.close(mode: .output, promise: nil)
        return true
    }

    /// How the session does, with the number of the tunnel's streams.
    func load(streams: Int) -> UpstreamLoad {
        UpstreamLoad(
            streams: streams,
            roundTrip: self.roundTripTime,
            lastEcho: self.lastEcho,
            isDraining: self.phase != .active
        )
    }

    /// Sends the connector to another edge, or here again after a moment.
    package func leave(gracePeriod: TimeAmount, lingering: TimeAmount) {
        // An edge that leaves takes no connector back.
        guard self.suspension == nil else { return self.endIfSuspended("the edge is leaving") }
        self.drain(
            code: .shutdown,
            gracePeriod: gracePeriod,
            reconnectAfter: .milliseconds(100),
            lingering: lingering
        )
    }

    /// The connector has opened a newer connection because this one was dead to it, with all it served.
    func giveWay() {
        guard self.phase != .draining else { return }
        self.close(code: .replaced, reason: "a newer connection of the same connector has taken over")
    }
}
