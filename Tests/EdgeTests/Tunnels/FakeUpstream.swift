// SPDX-License-Identifier: Apache-2.0

import Mux
import NIOCore
import NIOEmbedded
import Protocol
import Synchronization

@testable import Edge
@testable import EdgeTunnels

/// An upstream that writes down what is asked of it, and opens nothing.
final class FakeUpstream: Upstream, Sendable {
    let id: UInt64
    let connectionID: UInt64
    let eventLoop: any EventLoop
    let target = "fake"
    private let state = Mutex(State())

    private struct State {
        var load = UpstreamLoad()
        var opensWithoutWaiting = true
        var events: [String] = []
    }

    init(_ id: UInt64, connectionID: UInt64? = nil, on eventLoop: any EventLoop = EmbeddedEventLoop()) {
        self.id = id
        self.connectionID = connectionID ?? id
        self.eventLoop = eventLoop
    }

    /// What was asked of it, oldest first.
    var events: [String] { self.state.withLock { $0.events } }

    private func note(_ event: String) {
        self.state.withLock { $0.events.append(event) }
    }

    var load: UpstreamLoad {
        get { self.state.withLock { $0.load } }
        set { self.state.withLock { $0.load = newValue } }
    }

    var opensWithoutWaiting: Bool {
        get { self.state.withLock { $0.opensWithoutWaiting } }
        set { self.state.withLock { $0.opensWithoutWaiting = newValue } }
    }

    func open(
        _ metadata: OpenMetadata,
        kind: StreamKind,
        deadline: TimeAmount,
        initializer: (StreamChannel) throws -> Void
    ) throws -> StreamChannel {
        self.note("open \(metadata.target)")
        throw OpenError.tooManyWaiting
    }

    func tell(_ notice: ByteBuffer) { self.note("tell \(String(buffer: notice))") }

    func probe() { self.note("probe") }

    func drain(gracePeriod: TimeAmount, lingering: TimeAmount) {
        self.note("drain \(gracePeriod.nanoseconds / 1_000_000_000) \(lingering.nanoseconds / 1_000_000_000)")
    }

    func giveWay(toConnection newer: UInt64) { self.note("give way to \(newer)") }

    func end(code: ErrorCode, reason: String) { self.note("end \(code)") }
}
