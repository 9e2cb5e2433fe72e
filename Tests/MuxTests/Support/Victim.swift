// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOPosix
import Protocol
import Synchronization

@testable import Mux

/// Sessions behind a listening socket, for peers that behave badly; each connection gets one.
final class Victim: Sendable {
    private let state: Mutex<State>

    private struct State {
        var listener: (any Channel)?
        var sessions: [Guarded] = []
        var waiting: [CheckedContinuation<Guarded, Never>] = []
    }

    /// What the session does with each stream that is opened to it.
    enum Conduct: Sendable {
        /// Accepts and sends back what comes.
        case echo
        /// Accepts and reads nothing.
        case unread
        /// Accepts and drops what comes.
        case sink
        /// Accepts and resets at once.
        case reset
        /// The first stream is not read, the others are dropped as they come.
        case firstUnread
    }

    /// One session with what was heard of it.
    final class Guarded: SessionDelegate, Sendable {
        let session = Mutex<NIOLoopBound<SessionHandler>?>(nil)
        private let heard = Mutex(Heard())

        struct Heard {
            var end: SessionEnd?
            var openedStreams = 0
            var endWaiters: [CheckedContinuation<SessionEnd, Never>] = []
        }

        /// How many streams the peer has opened.
        var openedStreams: Int { self.heard.withLock { $0.openedStreams } }
        /// How the session ended, if it has.
        var end: SessionEnd? { self.heard.withLock { $0.end } }

        func noteStream() -> Int {
            self.heard.withLock {
                $0.openedStreams += 1
                return $0.openedStreams
            }
        }

        /// How the session ends.
        func untilEnd() async -> SessionEnd {
            await withCheckedContinuation { continuation in
                let end = self.heard.withLock { heard in
                    if heard.end == nil { heard.endWaiters.append(continuation) }
                    return heard.end
                }
                if let end { continuation.resume(returning: end) }
            }
        }

        /// Does something with the session on its event loop.
        func withSession<Value: Sendable>(
            _ body: @escaping @Sendable (SessionHandler) throws -> Value
        ) async throws -> Value {
            guard let bound = self.session.withLock({ $0 }) else { throw UnexpectedOutput() }
            return try await bound.eventLoop.submit { try body(bound.value) }.get()
        }

        func sessionDidBecomeActive(_ session: SessionHandler, peer: SessionSettings) {}

        func sessionPeerIsDraining(
            _ session: SessionHandler,
            code: ErrorCode,
            gracePeriod: TimeAmount,
            reconnectAfter: TimeAmount
        ) {}

        func sessionDidEnd(_ session: SessionHandler, end: SessionEnd) {
            let waiters = self.heard.withLock { heard in
                heard.end = end
                defer { heard.endWaiters = [] }
                return heard.endWaiters
            }
            for waiter in waiters { waiter.resume(returning: end) }
        }
    }

    private init() {
        self.state = Mutex(State())
    }

    /// Starts listening.
    ///
    /// - Parameters:
    ///   - conduct: What sessions do with streams that are opened to them.
    ///   - configure: Changes the configuration of an edge that accepts 1 024 streams.
    static func start(
        _ conduct: Conduct = .echo,
        configure: (inout SessionConfiguration) -> Void = { _ in }
    ) async throws -> Victim {
        var configuration = SessionConfiguration(role: .edge)
        configuration.settings.maximumStreams = 1_024
        configuration.budget = 128 << 20
        // A test may be kept waiting by others; those that are about time set their own.
        configuration.helloTimeout = .seconds(60)
        configuration.settings.idleTimeoutMilliseconds = 120_000
        configure(&configuration)
        let victim = Victim()
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { [configuration] channel in
                channel.eventLoop.makeCompletedFuture {
                    try victim.guardSession(on: channel, configuration, conduct)
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        victim.state.withLock { $0.listener = listener }
        return victim
    }

    var address: SocketAddress? { self.state.withLock { $0.listener?.localAddress } }

    func stop() async throws {
        try await self.state.withLock { $0.listener }?.close()
    }

    private func guardSession(
        on channel: any Channel,
        _ configuration: SessionConfiguration,
        _ conduct: Conduct
    ) throws {
        let guarded = Guarded()
        let session = SessionHandler(configuration: configuration, delegate: guarded) { stream in
            let number = guarded.noteStream()
            Self.accept(stream, conduct, number: number)
        }
        // The session holds its delegate weakly.
        channel.closeFuture.whenComplete { _ in withExtendedLifetime(guarded) {} }
        try channel.pipeline.syncOperations.addHandler(session)
        guarded.session.withLock { $0 = NIOLoopBound(session, eventLoop: channel.eventLoop) }
        self.take(guarded)
    }

    private static func accept(_ stream: StreamChannel, _ conduct: Conduct, number: Int) {
        let isUnread = conduct == .unread || (conduct == .firstUnread && number == 1)
        if isUnread { try? stream.syncOptions?.setOption(.autoRead, value: false) }
        if conduct == .echo { try? stream.pipeline.syncOperations.addHandler(EchoHandler()) }
        stream.accept()
        if conduct == .reset { stream.reset(code: .localReset) }
    }

    /// The next session that nobody has asked for yet.
    func nextSession() async -> Guarded {
        await withCheckedContinuation { continuation in
            let session = self.state.withLock { state -> Guarded? in
                guard state.sessions.isEmpty else { return state.sessions.removeFirst() }
                state.waiting.append(continuation)
                return nil
            }
            if let session { continuation.resume(returning: session) }
        }
    }

    fileprivate func take(_ session: Guarded) {
        let waiting = self.state.withLock { state -> CheckedContinuation<Guarded, Never>? in
            guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
            state.sessions.append(session)
            return nil
        }
        waiting?.resume(returning: session)
    }
}
