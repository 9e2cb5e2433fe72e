// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOPosix

/// A TCP relay that a test owns: the network between two sessions, which can be stopped or swallow what it is given.
///
/// Both directions change at once, and nothing is closed: to the ends it looks like a machine that sleeps, or a path
/// that drops every packet.
struct Relay: Sendable {
    /// What becomes of bytes.
    enum Mode: Sendable {
        /// They arrive.
        case passing
        /// They are taken from neither side, and arrive when it passes them again.
        case frozen
        /// They are taken and never arrive.
        case swallowing
    }

    private let listener: any Channel
    private let state: NIOLoopBoundBox<State>

    fileprivate struct State {
        var mode = Mode.passing
        /// The mode that comes when so many bytes have passed.
        var next: (mode: Mode, after: Int)?
        var passed = 0
        /// When the mode changed last.
        var changed = ContinuousClock.now
        var halves: [RelayHalf] = []
    }

    /// Starts a relay.
    ///
    /// - Parameters:
    ///   - target: Where each connection is to lead.
    ///   - loop: Where all of it happens.
    static func start(to target: SocketAddress, on loop: any EventLoop) async throws -> Relay {
        let state = NIOLoopBoundBox.makeBoxSendingValue(State(), eventLoop: loop)
        let listener = try await ServerBootstrap(group: loop)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { accepted in
                ClientBootstrap(group: loop)
                    .channelOption(.autoRead, value: false)
                    .connect(to: target)
                    .flatMapThrowing { dialled in
                        for (half, other) in [(accepted, dialled), (dialled, accepted)] {
                            let handler = RelayHalf(state: state, channel: half, partner: other)
                            try half.pipeline.syncOperations.addHandler(handler)
                            state.value.halves.append(handler)
                        }
                        for half in [accepted, dialled] { half.setOption(.autoRead, value: true).whenComplete { _ in } }
                    }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return Relay(listener: listener, state: state)
    }

    var address: SocketAddress? { self.listener.localAddress }

    /// Changes what becomes of bytes, at once or when so many more have passed.
    func become(_ mode: Mode, afterBytes count: Int = 0) async throws {
        let state = self.state
        try await self.listener.eventLoop.submit {
            if count > 0 {
                state.value.next = (mode, state.value.passed + count)
            } else {
                RelayHalf.enter(mode, state)
            }
        }.get()
    }

    /// When what becomes of bytes changed last.
    func lastChange() async throws -> ContinuousClock.Instant {
        let state = self.state
        return try await self.listener.eventLoop.submit { state.value.changed }.get()
    }

    /// Closes everything.
    func stop() async throws {
        let state = self.state
        try await self.listener.close()
        try await self.listener.eventLoop.submit {
            for half in state.value.halves { half.channel.close(promise: nil) }
            state.value.halves = []
        }.get()
    }
}

/// One side of a relayed connection.
private final class RelayHalf: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let state: NIOLoopBoundBox<Relay.State>
    let channel: any Channel
    private let partner: any Channel
    /// What came when the relay was frozen already.
    private var held: [ByteBuffer] = []

    init(state: NIOLoopBoundBox<Relay.State>, channel: any Channel, partner: any Channel) {
        self.state = state
        self.channel = channel
        self.partner = partner
    }

    static func enter(_ mode: Relay.Mode, _ state: NIOLoopBoundBox<Relay.State>) {
        state.value.mode = mode
        state.value.changed = .now
        state.value.next = nil
        for half in state.value.halves {
            half.channel.setOption(.autoRead, value: mode != .frozen).whenComplete { _ in }
            if mode == .passing { half.release() }
        }
    }

    private func release() {
        for bytes in self.held { self.partner.writeAndFlush(bytes, promise: nil) }
        self.held = []
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = self.unwrapInboundIn(data)
        switch self.state.value.mode {
        case .passing: self.partner.writeAndFlush(bytes, promise: nil)
        case .frozen: self.held.append(bytes)
        case .swallowing: break
        }
        self.state.value.passed += bytes.readableBytes
        if let next = self.state.value.next, self.state.value.passed >= next.after {
            Self.enter(next.mode, self.state)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        // The end of a connection arrives no sooner than bytes do.
        guard self.state.value.mode == .passing else { return }
        self.partner.close(promise: nil)
    }
}
