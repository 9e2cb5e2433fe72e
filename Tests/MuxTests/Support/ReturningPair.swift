// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOPosix
import Protocol
import Synchronization
import Testing

@testable import Mux

/// An edge and a connector over real sockets, whose connections a test breaks; the connector comes back each time.
///
/// Each connection of the edge has the next event loop of several, so that most of them are not the session's.
final class ReturningPair: SessionDelegate, Sendable {
    private struct State {
        var edge: NIOLoopBound<SessionHandler>?
        var connections: [any Channel] = []
        /// Whether the edge's session has had a connection since the last cut.
        var isWhole = true
        /// How many cuts wait for the session to have one.
        var owedCuts = 0
        var cuts = 0
        var resumptions = 0
        var repeated = 0
        var isOver = false
        var ends: [SessionEnd] = []
        var waiters: [CheckedContinuation<NIOLoopBound<SessionHandler>, Never>] = []

        mutating func cut() -> [any Channel] {
            defer { self.connections = [] }
            self.isWhole = false
            self.cuts += 1
            return self.connections
        }
    }

    private let state = Mutex(State())
    private let edgeLoops = MultiThreadedEventLoopGroup.singleton
    private let connectorLoop = MultiThreadedEventLoopGroup.singleton.next()
    private let acceptStream: @Sendable (StreamChannel) -> Void
    private let address: Mutex<SocketAddress?> = Mutex(nil)
    private let connectorDelegate: Mutex<ConnectorSide?> = Mutex(nil)

    init(acceptStream: @escaping @Sendable (StreamChannel) -> Void) {
        self.acceptStream = acceptStream
    }

    /// Connects both, and gives the edge's session once it is active.
    func start() async throws -> (edge: NIOLoopBound<SessionHandler>, listener: any Channel) {
        let listener = try await ServerBootstrap(group: self.edgeLoops)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    self.state.withLock { $0.connections.append(channel) }
                    var configuration = SessionConfiguration(role: .edge)
                    configuration.capabilities = .resume
                    // A busy machine may need long for a connection.
                    configuration.settings.resumeMilliseconds = 300_000
                    let session = SessionHandler(
                        configuration: configuration,
                        purpose: .resumeOrNew { request, done in done(self.find(request)) },
                        delegate: self
                    )
                    try channel.pipeline.syncOperations.addHandler(session)
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.address.withLock { $0 = listener.localAddress }
        let side = ConnectorSide(pair: self)
        self.connectorDelegate.withLock { $0 = side }
        self.connect(nil)
        let edge = await withCheckedContinuation { continuation in
            let edge = self.state.withLock { state in
                if state.edge == nil { state.waiters.append(continuation) }
                return state.edge
            }
            if let edge { continuation.resume(returning: edge) }
        }
        return (edge, listener)
    }

    private func find(_ request: ResumeRequest) -> NIOLoopBound<SessionHandler>? {
        self.state.withLock { $0.edge }
    }

    private func connect(_ session: NIOLoopBound<SessionHandler>?) {
        guard let address = self.address.withLock({ $0 }) else { return }
        let delegate = self.connectorDelegate.withLock { $0 }
        _ = ClientBootstrap(group: self.connectorLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    self.state.withLock { $0.connections.append(channel) }
                    var configuration = SessionConfiguration(role: .connector)
                    configuration.capabilities = .resume
                    let handler = SessionHandler(
                        configuration: configuration,
                        purpose: session.map { .resume($0.value) } ?? .newSession,
                        delegate: delegate,
                        acceptStream: self.acceptStream
                    )
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .connect(to: address)
    }

    /// Breaks every connection there is, once the edge's session has one: each cut is followed by one return, however long
    /// that takes.
    func cut() {
        let connections = self.state.withLock { state -> [any Channel] in
            guard state.isWhole else {
                state.owedCuts += 1
                return []
            }
            return state.cut()
        }
        for connection in connections { connection.close(promise: nil) }
    }

    /// What there was so far.
    var figures: (cuts: Int, resumptions: Int, repeated: Int, ends: [SessionEnd]) {
        self.state.withLock { ($0.cuts, $0.resumptions, $0.repeated, $0.ends) }
    }

    /// Waits for the return after the last cut.
    func settle() async throws {
        let deadline = NIODeadline.now() + .seconds(60)
        while !self.state.withLock({ $0.owedCuts == 0 && $0.resumptions == $0.cuts }) {
            try #require(NIODeadline.now() < deadline, "the connector does not come back")
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    /// Ends the session for good.
    func stop(_ listener: any Channel) async throws {
        let edge = self.state.withLock { state in
            state.isOver = true
            return state.edge
        }
        try await edge?.eventLoop.submit { edge?.value.close(code: .shutdown, reason: "") }.get()
        try await listener.close()
        for connection in self.state.withLock({ $0.connections }) { connection.close(promise: nil) }
    }

    // MARK: The edge's side

    func sessionDidBecomeActive(_ session: SessionHandler, peer: SessionSettings) {
        guard let loop = session.channel?.eventLoop else { return }
        let edge = NIOLoopBound(session, eventLoop: loop)
        let waiters = self.state.withLock { state in
            state.edge = edge
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: edge) }
    }

    func sessionPeerIsDraining(
        _ session: SessionHandler,
        code: ErrorCode,
        gracePeriod: TimeAmount,
        reconnectAfter: TimeAmount
    ) {}

    func sessionDidResume(_ session: SessionHandler, _ resumption: Resumption) {
        let connections = self.state.withLock { state -> [any Channel] in
            state.resumptions += 1
            state.repeated += resumption.repeated
            state.isWhole = true
            guard state.owedCuts > 0 else { return [] }
            state.owedCuts -= 1
            return state.cut()
        }
        // At once: HELLO may not have reached the connector.
        for connection in connections { connection.close(promise: nil) }
    }

    func sessionDidEnd(_ session: SessionHandler, end: SessionEnd) {
        self.state.withLock { $0.ends.append(end) }
    }

    // MARK: The connector's side

    private final class ConnectorSide: SessionDelegate, Sendable {
        private let pair: ReturningPair
        private let lost: Mutex<NIOLoopBound<SessionHandler>?> = Mutex(nil)

        init(pair: ReturningPair) {
            self.pair = pair
        }

        func sessionDidBecomeActive(_ session: SessionHandler, peer: SessionSettings) {}

        func sessionPeerIsDraining(
            _ session: SessionHandler,
            code: ErrorCode,
            gracePeriod: TimeAmount,
            reconnectAfter: TimeAmount
        ) {}

        func sessionDidSuspend(_ session: SessionHandler, reason: String) {
            let bound = NIOLoopBound(session, eventLoop: self.pair.connectorLoop)
            self.lost.withLock { $0 = bound }
            self.pair.connect(bound)
        }

        func sessionDidEnd(_ session: SessionHandler, end: SessionEnd) {
            // An attempt whose connection broke before HELLO: the next one.
            guard !self.pair.state.withLock({ $0.isOver }), let lost = self.lost.withLock({ $0 }),
                lost.value !== session, lost.value.suspension != nil
            else { return }
            self.pair.connect(lost)
        }
    }
}
