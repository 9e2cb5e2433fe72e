// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Logging
import Mux
import NIOCore
import NIOPosix
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

/// An edge's end of sessions over real sockets, without the opening handshake.
struct AdmissionFixture {
    /// Each thing that is waited for takes milliseconds; a busy machine may need longer.
    static let patience = TimeAmount.seconds(10)

    let metrics = EdgeMetrics()
    let registry = InMemoryTunnelRegistry()

    func endpoint(_ tokens: TunnelTokens) -> TokenConnectEndpoint {
        let readiness = Readiness()
        readiness.becomeReady()
        return TokenConnectEndpoint(
            registry: self.registry,
            tokens: tokens,
            readiness: readiness,
            // Here they come faster than an edge would let them in.
            pace: ConnectPace(perSecond: 100_000),
            recorder: self.metrics,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
    }

    /// - Parameter behind: How far the clock of the tokens is behind the real one, in seconds.
    func tokens(behind: TimeInterval = 0) async throws -> TunnelTokens {
        let secret = Data(repeating: 7, count: 32).base64EncodedString()
        return try await TunnelTokens(
            keys: [SigningKey(kid: "k", secret: secret)],
            now: { Date().addingTimeInterval(-behind) }
        )
    }

    func specification(_ id: String = "my-app") throws -> TunnelSpecification {
        TunnelSpecification(
            id: try #require(TunnelID(id)),
            owner: "alice",
            policy: TunnelPolicy(),
            createdAt: Date()
        )
    }

    /// Listens for connections that are past their handshake.
    func listen(_ endpoint: TokenConnectEndpoint, token: String) async throws -> any Channel {
        let fields: [(name: String, value: String)] = [
            ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", WebSocketHandshake.makeKey()),
            ("Sec-WebSocket-Protocol", WebSocketHandshake.subprotocol), ("Authorization", "Bearer \(token)"),
        ]
        return try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.makeFutureWithTask {
                    await endpoint.decide(
                        tunnelID: "my-app",
                        fields: fields,
                        remoteAddress: nil,
                        requestID: RequestID()
                    )
                }
                .flatMapThrowing { decision in
                    guard case .accept(_, let makeHandler) = decision else { throw ChannelError.ioOnClosedChannel }
                    try channel.pipeline.syncOperations.addHandler(makeHandler(channel))
                }
            }
            .bind(host: "127.0.0.1", port: 0)
            .get()
    }

    /// Whether the metrics know of no session.
    var hasNoSession: Bool { self.metrics.prometheusText().contains("\nculvert_active_sessions 0\n") }

    /// Waits for something that has to come about within a time.
    func within(_ limit: TimeAmount, _ what: Comment, _ isTrue: () async throws -> Bool) async throws {
        let deadline = NIODeadline.now() + limit
        while try await !isTrue() {
            guard NIODeadline.now() < deadline else { return #expect(Bool(false), what) }
            try await Task.sleep(for: .milliseconds(2))
        }
    }
}
