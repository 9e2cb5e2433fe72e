// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import NIOSSL

/// Finds out whether a server speaks TLS.
enum TLSProbe {
    private static let patience = TimeAmount.seconds(3)

    /// Whether a TLS handshake succeeds at an address, whatever certificate is shown there.
    static func finds(_ edge: EdgeAddress) async -> Bool {
        await self.finds(edge.host, edge.port)
    }

    /// Whether a TLS handshake succeeds at a host's port, whatever certificate is shown there.
    static func finds(_ host: String, _ port: Int) async -> Bool {
        // Nothing is sent over this connection but the handshake.
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        configuration.applicationProtocols = ["http/1.1"]
        guard let context = try? NIOSSLContext(configuration: configuration) else { return false }
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let ready = eventLoop.makePromise(of: Void.self)
        let timeout = eventLoop.scheduleTask(in: Self.patience) {
            ready.fail(ChannelError.connectTimeout(Self.patience))
        }
        defer { timeout.cancel() }
        ClientBootstrap.reaching(host, on: eventLoop)
            .connectTimeout(Self.patience)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        NIOSSLClientHandler(context: context, addressing: host),
                        HandshakeWaiter(promise: ready)
                    )
                }
            }
            .connect(host: host, port: port)
            .whenComplete { result in
                switch result {
                case .success(let channel): ready.futureResult.whenComplete { _ in channel.close(promise: nil) }
                case .failure(let error): ready.fail(error)
                }
            }
        return (try? await ready.futureResult.get()) != nil
    }
}
