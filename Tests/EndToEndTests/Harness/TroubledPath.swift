// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import NIOPosix

/// A TCP relay that the test owns: the network between two programs, with all the trouble that a network can make.
struct TroubledPath: Sendable {
    /// What becomes of bytes and of new connections.
    enum Mode: Sendable, Equatable {
        /// They arrive.
        case passing
        /// They arrive later.
        case delaying(TimeAmount)
        /// Nothing arrives, no connection ends and none is refused, as on a path that drops every packet. What was on
        /// its way arrives when the mode changes.
        case frozen
        /// As frozen for the connections that there are; those that come later pass.
        case oldFrozen
    }

    /// Where it listens; the same for ever.
    let port: Int
    private let loop: any EventLoop
    private let state: NIOLoopBoundBox<State>

    fileprivate struct State {
        let target: Int
        var mode = Mode.passing
        var listener: (any Channel)?
        var halves: [ObjectIdentifier: PathHalf] = [:]
    }

    /// Starts a relay.
    ///
    /// - Parameter target: The port of this machine where each connection is to lead.
    init(to target: Int) async throws {
        self.loop = MultiThreadedEventLoopGroup.singleton.next()
        self.port = try FreePort.next()
        self.state = NIOLoopBoundBox.makeBoxSendingValue(State(target: target), eventLoop: self.loop)
        try await self.accept()
    }

    /// Takes connections, again if they were refused.
    func accept() async throws {
        let state = self.state
        guard try await self.loop.submit({ state.value.listener == nil }).get() else { return }
        let listener = try await ServerBootstrap(group: self.loop)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { accepted in
                accepted.eventLoop.makeCompletedFuture { Self.join(accepted, state) }
            }
            .bind(host: "127.0.0.1", port: self.port).get()
        try await self.loop.submit { state.value.listener = listener }.get()
    }

    /// Breaks all connections, and refuses new ones until they are taken again.
    func refuse() async throws {
        let state = self.state
        let listener = try await self.loop.submit {
            defer { state.value.listener = nil }
            return state.value.listener
        }.get()
        try await listener?.close()
        try await self.breakConnections()
    }

    /// Breaks all connections with a reset, as a firewall or a NAT box that has forgotten them does.
    func breakConnections() async throws {
        let state = self.state
        try await self.loop.submit {
            for half in Array(state.value.halves.values) { half.reset() }
        }.get()
    }

    /// Changes what becomes of bytes, both ways at once.
    func become(_ mode: Mode) async throws {
        let state = self.state
        try await self.loop.submit {
            state.value.mode = mode
            for half in Array(state.value.halves.values) { half.enter(mode == .oldFrozen ? .frozen : mode) }
        }.get()
    }

    /// How many connections there are.
    func connectionCount() async throws -> Int {
        let state = self.state
        return try await self.loop.submit { state.value.halves.count / 2 }.get()
    }

    private static func join(_ accepted: any Channel, _ state: NIOLoopBoundBox<State>) {
        ClientBootstrap(group: accepted.eventLoop)
            .channelOption(.autoRead, value: false)
            .connect(host: "127.0.0.1", port: state.value.target)
            .assumeIsolated()
            .whenComplete { result in
                guard case .success(let dialled) = result, accepted.isActive else {
                    if case .success(let dialled) = result { dialled.close(promise: nil) }
                    return PathHalf.reset(accepted)
                }
                for (channel, partner) in [(accepted, dialled), (dialled, accepted)] {
                    let half = PathHalf(state: state, channel: channel, partner: partner)
                    state.value.halves[ObjectIdentifier(channel)] = half
                    try? channel.pipeline.syncOperations.addHandler(half)
                    half.enter(state.value.mode == .oldFrozen ? .passing : state.value.mode)
                }
            }
    }
}

/// One end of a relayed connection: what comes in here goes out at the partner.
private final class PathHalf: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let state: NIOLoopBoundBox<TroubledPath.State>
    private let channel: any Channel
    private let partner: any Channel
    private var mode = TroubledPath.Mode.passing
    /// What has not gone on yet, and when it may; nothing for the end of the connection.
    private var held: [(bytes: ByteBuffer?, due: NIODeadline)] = []
    private var isScheduled = false

    init(state: NIOLoopBoundBox<TroubledPath.State>, channel: any Channel, partner: any Channel) {
        self.state = state
        self.channel = channel
        self.partner = partner
    }

    func enter(_ mode: TroubledPath.Mode) {
        self.mode = mode
        self.channel.setOption(.autoRead, value: mode != .frozen).whenComplete { _ in }
        self.release()
    }

    func reset() {
        self.held = []
        Self.reset(self.channel)
    }

    static func reset(_ channel: any Channel) {
        let close = { channel.close(promise: nil) }
        guard let socket = channel as? any SocketOptionProvider else { return close() }
        // To close without lingering is to reset (socket(7)).
        socket.setSoLinger(linger(l_onoff: 1, l_linger: 0)).assumeIsolated().whenComplete { _ in close() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.pass(self.unwrapInboundIn(data))
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.state.value.halves[ObjectIdentifier(self.channel)] = nil
        self.pass(nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func pass(_ bytes: ByteBuffer?) {
        var due = NIODeadline.now()
        if case .delaying(let delay) = self.mode { due = due + delay }
        self.held.append((bytes, due))
        self.release()
    }

    private func release() {
        guard self.mode != .frozen else { return }
        while let first = self.held.first, first.due <= .now() {
            self.held.removeFirst()
            if let bytes = first.bytes {
                self.partner.writeAndFlush(bytes, promise: nil)
            } else {
                self.partner.close(promise: nil)
            }
        }
        guard let first = self.held.first, !self.isScheduled else { return }
        self.isScheduled = true
        self.channel.eventLoop.assumeIsolated().scheduleTask(deadline: first.due) {
            self.isScheduled = false
            self.release()
        }
    }
}
