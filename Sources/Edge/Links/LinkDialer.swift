// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels
import Mux
import NIOCore
import NIOPosix

/// Dials other edges.
package struct LinkDialer: Sendable {
    /// Why another edge can't be dialled.
    enum Failure: Error, CustomStringConvertible {
        case unknownAddress
        case timedOut

        var description: String {
            switch self {
            case .unknownAddress: "nothing says where it is reached (its cluster.advertise)"
            case .timedOut: "no answer in time"
            }
        }
    }

    /// How long the connection, and then the handshake, may take: on the network of one cluster.
    private static let patience = TimeAmount.seconds(2)

    private let group: any EventLoopGroup
    private let pods: PodTable
    private let makeToken: @Sendable (PodID) async throws -> String
    private let secure: (@Sendable (any Channel) throws -> Void)?

    /// Makes a dialer.
    ///
    /// - Parameters:
    ///   - group: The event loops of links.
    ///   - pods: Where edges are reached.
    ///   - secure: Puts on a connection what encrypts it; `nil` where links are not encrypted.
    ///   - makeToken: Makes what an edge is to be shown.
    package init(
        group: any EventLoopGroup,
        pods: PodTable,
        secure: (@Sendable (any Channel) throws -> Void)? = nil,
        makeToken: @escaping @Sendable (PodID) async throws -> String
    ) {
        self.group = group
        self.pods = pods
        self.secure = secure
        self.makeToken = makeToken
    }

    /// Connects to an edge, and puts a session's handler on the connection.
    ///
    /// - Parameters:
    ///   - pod: The edge.
    ///   - makeHandler: Makes the handler, on its event loop.
    func dial(_ pod: PodID, makeHandler: @escaping @Sendable (any EventLoop) -> SessionHandler) async throws {
        guard let address = self.pods.address(of: pod), let colon = address.lastIndex(of: ":"),
            let port = Int(address[address.index(after: colon)...])
        else { throw Failure.unknownAddress }
        var host = String(address[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        let token = try await self.makeToken(pod)
        let eventLoop = self.group.next()
        let outcome = eventLoop.makePromise(of: Void.self)
        var bootstrap = ClientBootstrap(group: eventLoop).connectTimeout(Self.patience)
        for (option, value) in KeepAlive.options { bootstrap = bootstrap.channelOption(option, value: value) }
        bootstrap
            .channelInitializer { [secure] channel in
                channel.eventLoop.makeCompletedFuture {
                    try secure?(channel)
                    let handshake = WebSocketClientHandshake(
                        host: address,
                        target: "/peer",
                        fields: [("Authorization", "Bearer \(token)")]
                    )
                    try channel.pipeline.syncOperations.addHandler(
                        WebSocketClientHandshakeHandler(handshake: handshake, promise: outcome) {
                            makeHandler(eventLoop)
                        }
                    )
                }
            }
            .connect(host: host, port: port)
            .whenComplete { result in
                switch result {
                case .failure(let error): outcome.fail(error)
                case .success(let channel):
                    let timeout = eventLoop.scheduleTask(in: Self.patience) {
                        outcome.fail(Failure.timedOut)
                        channel.close(promise: nil)
                    }
                    outcome.futureResult.whenComplete { _ in timeout.cancel() }
                }
            }
        try await outcome.futureResult.get()
    }
}
