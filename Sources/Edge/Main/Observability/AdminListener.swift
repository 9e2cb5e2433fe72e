// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Logging
import Mux
import NIOCore
import NIOHTTP1
import NIOPosix

/// The small listener for probes and metrics, apart from the public one so that nobody outside can reach it.
struct AdminListener: Sendable {
    let endpoint: AdminEndpoint

    /// Listens.
    ///
    /// - Returns: The channel that accepts connections.
    func bind(to address: ListenAddress, group: any EventLoopGroup) async throws -> any Channel {
        var bootstrap = ServerBootstrap(group: group)
        for (option, value) in KeepAlive.options { bootstrap = bootstrap.serverChannelOption(option, value: value) }
        return
            try await bootstrap
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pause = AcceptPause(logger: Logger(label: "culvert.listener"))
                    try channel.pipeline.syncOperations.addHandler(pause)
                }
            }
            .serverChannelOption(.backlog, value: 64)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { [endpoint] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(AdminHandler(endpoint: endpoint))
                }
            }
            .bind(host: address.host, port: address.port)
            .get()
    }
}

/// Answers the requests of one admin connection.
private final class AdminHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let endpoint: AdminEndpoint
    private var head: HTTPRequestHead?

    init(endpoint: AdminEndpoint) {
        self.endpoint = endpoint
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body: break
        case .end:
            guard let head = self.head else { return }
            self.head = nil
            self.answer(head, context: context)
        }
    }

    private func answer(_ request: HTTPRequestHead, context: ChannelHandlerContext) {
        let answer = self.endpoint.respond(method: request.method.rawValue, path: request.uri)
        let body = ByteBuffer(string: answer.body)
        let fields: HTTPHeaders = [
            "Content-Type": answer.mediaType, "Content-Length": "\(body.readableBytes)", "Cache-Control": "no-store",
        ]
        let status = HTTPResponseStatus(statusCode: answer.status.code)
        let head = HTTPResponseHead(version: .http1_1, status: status, headers: fields)
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        if request.method != .HEAD { context.write(self.wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
        if !request.isKeepAlive { context.close(promise: nil) }
    }
}
