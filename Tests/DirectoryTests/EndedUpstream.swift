// SPDX-License-Identifier: Apache-2.0

import Foundation
import Mux
import NIOCore
import NIOPosix
import Protocol
import Synchronization

@testable import EdgeTunnels

/// An upstream that opens nothing, and remembers whether it was ended.
final class EndedUpstream: Upstream, Sendable {
    private static let last = Atomic<UInt64>(0)

    let id = EndedUpstream.last.add(1, ordering: .relaxed).newValue
    let eventLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next()
    let target = "fake"
    private let ended = Atomic<Bool>(false)

    var connectionID: UInt64 { self.id }
    var load: UpstreamLoad { UpstreamLoad() }
    var opensWithoutWaiting: Bool { true }

    /// Whether it was ended.
    var isEnded: Bool { self.ended.load(ordering: .relaxed) }

    /// A session over it.
    func session(issuedAt: Double) async throws -> TunnelSession {
        try await self.eventLoop.submit {
            TunnelSession(
                over: self,
                remoteAddress: nil,
                implementation: nil,
                connectedAt: Date(),
                tokenIssuedAt: issuedAt
            )
        }
        .get()
    }

    func end(code: ErrorCode, reason: String) { self.ended.store(true, ordering: .relaxed) }

    func open(
        _ metadata: OpenMetadata,
        kind: StreamKind,
        deadline: TimeAmount,
        initializer: (StreamChannel) throws -> Void
    ) throws -> StreamChannel {
        throw OpenError.sessionUnavailable
    }

    func tell(_ notice: ByteBuffer) {}
    func probe() {}
    func drain(gracePeriod: TimeAmount, lingering: TimeAmount) {}
    func giveWay(toConnection newer: UInt64) {}
}
