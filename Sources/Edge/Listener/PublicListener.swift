// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix

/// The listener for visitors, connectors and the control API.
struct PublicListener: Sendable {
    let configuration: EdgeConfiguration
    let registry: any TunnelRegistry
    let controlPlane: any ControlPlane
    let connectEndpoint: any ConnectEndpoint
    let accessLog: AccessLog

    /// Listens.
    ///
    /// - Returns: The channel that accepts connections.
    func bind(group: any EventLoopGroup) async throws -> any Channel {
        try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try ControlHandler.install(in: channel, listener: self)
                }
            }
            .bind(host: self.configuration.listen.host, port: self.configuration.listen.port)
            .get()
    }
}

/// Serves the control API and connectors on one connection.
private final class ControlHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let listener: PublicListener
    private let decoder: ByteToMessageHandler<HTTPRequestDecoder>
    private let encoder: HTTPResponseEncoder
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()

    private init(
        listener: PublicListener,
        decoder: ByteToMessageHandler<HTTPRequestDecoder>,
        encoder: HTTPResponseEncoder
    ) {
        self.listener = listener
        self.decoder = decoder
        self.encoder = encoder
    }

    static func install(in channel: any Channel, listener: PublicListener) throws {
        let decoder = ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes))
        let encoder = HTTPResponseEncoder()
        try channel.pipeline.syncOperations.addHandlers([
            encoder, decoder, ControlHandler(listener: listener, decoder: decoder, encoder: encoder),
        ])
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            self.body.clear()
        case .body(let part):
            if self.body.readableBytes <= 64 << 10 { self.body.writeImmutableBuffer(part) }
        case .end:
            guard let head = self.head else { return }
            self.head = nil
            self.answer(head, context: context)
        }
    }

    private func answer(_ head: HTTPRequestHead, context: ChannelHandlerContext) {
        let fields = head.headers.map { (name: $0.name, value: $0.value) }
        let path = String(head.uri.prefix { $0 != "?" })
        let prefix = "/api/tunnel/connect/"
        let remoteAddress = context.channel.remoteAddress
        let requestID = RequestID()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let (listener, body, loop) = (self.listener, self.body, context.eventLoop)
        if path.hasPrefix(prefix) {
            loop.makeFutureWithTask {
                await listener.connectEndpoint.decide(
                    tunnelID: String(path.dropFirst(prefix.count)),
                    fields: fields,
                    remoteAddress: remoteAddress,
                    requestID: requestID
                )
            }
            .whenSuccess { decision in
                let (handler, context) = bound.value
                switch decision {
                case .refuse(let response, let body): handler.write(response, body, context: context)
                case .accept(let fields, let makeHandler):
                    handler.upgrade(fields, to: makeHandler, context: context)
                }
            }
            return
        }
        var request = HTTPRequest(
            method: .init(head.method.rawValue) ?? .get,
            scheme: nil,
            authority: nil,
            path: head.uri
        )
        for (name, value) in fields {
            if let name = HTTPField.Name(name) { request.headerFields.append(HTTPField(name: name, value: value)) }
        }
        loop.makeFutureWithTask { [request] in
            await listener.controlPlane.respond(
                to: request,
                body: body,
                remoteAddress: remoteAddress,
                requestID: requestID
            )
        }
        .whenSuccess { response, body in
            let (handler, context) = bound.value
            handler.write(response, body, context: context)
        }
    }

    private func write(_ response: HTTPResponse, _ body: ByteBuffer, context: ChannelHandlerContext) {
        var headers = HTTPHeaders()
        for field in response.headerFields { headers.add(name: field.name.rawName, value: field.value) }
        let head = HTTPResponseHead(
            version: .http1_1,
            status: .init(statusCode: response.status.code),
            headers: headers
        )
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        if body.readableBytes > 0 { context.write(self.wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
    }

    private func upgrade(
        _ fields: [(name: String, value: String)],
        to makeHandler: (any Channel) -> any ChannelHandler,
        context: ChannelHandlerContext
    ) {
        let headers = HTTPHeaders(fields.map { ($0.name, $0.value) })
        let head = HTTPResponseHead(version: .http1_1, status: .switchingProtocols, headers: headers)
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
        let pipeline = context.pipeline.syncOperations
        let channel = context.channel
        let (decoder, encoder) = (self.decoder, self.encoder)
        do {
            // The session writes as soon as it is added, so that the encoder has to be gone by then.
            if let context = try? pipeline.context(handler: encoder) { _ = pipeline.removeHandler(context: context) }
            _ = pipeline.removeHandler(context: context)
            try pipeline.addHandler(makeHandler(channel))
            if let context = try? pipeline.context(handler: decoder) { _ = pipeline.removeHandler(context: context) }
        } catch {
            channel.close(promise: nil)
        }
    }
}
