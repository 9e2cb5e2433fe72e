// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOPosix
import Protocol
import Synchronization

@testable import Mux

/// An edge and a connector with a relay of the test between them.
struct RelayedPair: Sendable {
    let edge: NIOLoopBound<SessionHandler>
    let edgeWitness: SessionWitness
    let connectorWitness: SessionWitness
    let relay: Relay
    private let listener: any Channel

    /// Connects both and waits until streams can be opened.
    ///
    /// - Parameters:
    ///   - idleTimeout: After how long without a byte either side gives the other up; the protocol allows 5 s or more.
    ///   - acceptStream: What the connector does with streams.
    static func make(
        idleTimeout: TimeAmount = .seconds(30),
        acceptStream: @escaping @Sendable (StreamChannel) -> Void
    ) async throws -> RelayedPair {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let (edgeWitness, connectorWitness) = (SessionWitness(), SessionWitness())
        let bound = loop.makePromise(of: NIOLoopBound<SessionHandler>.self)
        let listener = try await ServerBootstrap(group: loop)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let session = SessionHandler(
                        configuration: Self.configuration(.edge, idleTimeout),
                        delegate: edgeWitness
                    )
                    try channel.pipeline.syncOperations.addHandler(session)
                    bound.succeed(NIOLoopBound(session, eventLoop: channel.eventLoop))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        guard let address = listener.localAddress else { throw UnexpectedOutput() }
        let relay = try await Relay.start(to: address, on: loop)
        guard let relayAddress = relay.address else { throw UnexpectedOutput() }
        _ = try await ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        SessionHandler(
                            configuration: Self.configuration(.connector, idleTimeout),
                            delegate: connectorWitness,
                            acceptStream: acceptStream
                        )
                    )
                }
            }
            .connect(to: relayAddress).get()
        let edge = try await bound.futureResult.get()
        await edgeWitness.wait { $0.isActive }
        return RelayedPair(
            edge: edge,
            edgeWitness: edgeWitness,
            connectorWitness: connectorWitness,
            relay: relay,
            listener: listener
        )
    }

    private static func configuration(_ role: SessionRole, _ idleTimeout: TimeAmount) -> SessionConfiguration {
        var configuration = SessionConfiguration(role: role)
        configuration.settings.idleTimeoutMilliseconds = UInt32(idleTimeout.nanoseconds / 1_000_000)
        return configuration
    }

    /// Opens a stream, sends all bytes and FIN, and gives what comes back until its end.
    func exchange(_ bytes: ByteBuffer) async throws -> ByteBuffer {
        let promise = self.edge.eventLoop.makePromise(of: ByteBuffer.self)
        let edge = self.edge
        edge.eventLoop.execute {
            do {
                let stream = try edge.value.openStream(kind: .tcp, metadata: OpenMetadata(target: "web")) {
                    try $0.pipeline.syncOperations.addHandler(CollectHandler(promise: promise))
                }
                stream.write(bytes, promise: nil)
                stream.close(mode: .output, promise: nil)
            } catch {
                promise.fail(error)
            }
        }
        return try await promise.futureResult.get()
    }

    func close() async throws {
        try await self.listener.close()
        try await self.relay.stop()
    }
}

/// Remembers what became of a session, and lets a test wait for it.
final class SessionWitness: SessionDelegate, Sendable {
    /// What is known of the session.
    struct Knowledge: Sendable {
        var isActive = false
        var isSuspect = false
        var end: SessionEnd?
    }

    private struct State {
        var knowledge = Knowledge()
        var waiters: [(condition: @Sendable (Knowledge) -> Bool, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    /// What is known now.
    var knowledge: Knowledge { self.state.withLock { $0.knowledge } }

    /// Waits until something is known.
    func wait(_ condition: @escaping @Sendable (Knowledge) -> Bool) async {
        await withCheckedContinuation { continuation in
            let isMet = self.state.withLock { state in
                if condition(state.knowledge) { return true }
                state.waiters.append((condition, continuation))
                return false
            }
            if isMet { continuation.resume() }
        }
    }

    private func note(_ change: (inout Knowledge) -> Void) {
        let ready = self.state.withLock { state in
            change(&state.knowledge)
            let ready = state.waiters.filter { $0.condition(state.knowledge) }
            state.waiters.removeAll { $0.condition(state.knowledge) }
            return ready
        }
        for waiter in ready { waiter.continuation.resume() }
    }

    func sessionDidBecomeActive(_ session: SessionHandler, peer: SessionSettings) {
        self.note { $0.isActive = true }
    }

    func sessionPeerIsDraining(
        _ session: SessionHandler,
        code: ErrorCode,
        gracePeriod: TimeAmount,
        reconnectAfter: TimeAmount
    ) {}

    func sessionSuspicionDidChange(_ session: SessionHandler) {
        let isSuspect = session.isSuspect
        self.note { $0.isSuspect = isSuspect }
    }

    func sessionDidEnd(_ session: SessionHandler, end: SessionEnd) {
        self.note { $0.end = end }
    }
}
