// SPDX-License-Identifier: Apache-2.0
import NIOCore

@testable import Mux

/// Opens a WebSocket in either role and sends every message back.
final class EchoingWebSocket: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Role {
        case server
        case client(target: String)
    }

    private let role: Role
    private var firstMessage: EventLoopPromise<ByteBuffer>?
    private var decoder: WebSocketDecoder
    private var encoder: WebSocketEncoder
    /// The other side's head, until it is complete.
    private var head: ByteBuffer? = ByteBuffer()
    private var isClosing = false

    init(role: Role, firstMessage: EventLoopPromise<ByteBuffer>? = nil) {
        self.role = role
        self.firstMessage = firstMessage
        var isServer = true
        if case .client = role { isServer = false }
        self.decoder = WebSocketDecoder(isServer: isServer, maximumMessage: 32 << 20, maximumFragments: .max)
        self.encoder = WebSocketEncoder(isClient: !isServer)
    }

    func channelActive(context: ChannelHandlerContext) {
        guard case .client(let target) = self.role else { return }
        let request = """
            GET \(target) HTTP/1.1\r
            Host: 127.0.0.1:\(context.remoteAddress?.port ?? 80)\r
            Upgrade: websocket\r
            Connection: Upgrade\r
            Sec-WebSocket-Version: 13\r
            Sec-WebSocket-Key: \(WebSocketHandshake.makeKey())\r
            \r

            """
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: request)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        if self.head != nil { self.takeHead(&bytes, context) }
        guard self.head == nil, bytes.readableBytes > 0, !self.isClosing else { return }
        self.decoder.append(bytes)
        do {
            while !self.isClosing, let element = try self.decoder.next() { self.answer(element, context) }
        } catch {
            self.close(with: error.closeCode, context)
        }
        context.flush()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.firstMessage.take()?.succeed(ByteBuffer())
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    /// Moves bytes into the head; what is left belongs to the WebSocket.
    private func takeHead(_ bytes: inout ByteBuffer, _ context: ChannelHandlerContext) {
        while let byte: UInt8 = bytes.readInteger() {
            self.head?.writeInteger(byte)
            guard byte == 10, let head = self.head.map({ String(buffer: $0) }), head.hasSuffix("\r\n\r\n") else {
                continue
            }
            self.head = nil
            guard case .server = self.role else { return }
            let key = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("sec-websocket-key:") }
            let value = key?.split(separator: ":", maxSplits: 1).last?.drop { $0 == " " } ?? ""
            let answer = """
                HTTP/1.1 101 Switching Protocols\r
                Upgrade: websocket\r
                Connection: Upgrade\r
                Sec-WebSocket-Accept: \(WebSocketHandshake.acceptValue(String(value)))\r
                \r

                """
            return context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
        }
    }

    private func answer(_ element: WebSocketDecoder.Element, _ context: ChannelHandlerContext) {
        switch element {
        case .binary(let bytes): self.echo(.binary, bytes, context)
        case .text(let bytes):
            guard String(validating: bytes.readableBytesView, as: UTF8.self) != nil else {
                return self.close(with: .invalidPayload, context)
            }
            self.echo(.text, bytes, context)
        case .ping(let bytes): self.send(.pong, bytes, context)
        case .pong: break
        case .close(let code, _): self.close(with: code, context)
        }
    }

    private func echo(_ opcode: WebSocketOpcode, _ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        self.firstMessage.take()?.succeed(bytes)
        self.send(opcode, bytes, context)
    }

    private func send(_ opcode: WebSocketOpcode, _ payload: ByteBuffer, _ context: ChannelHandlerContext) {
        var bytes = ByteBuffer()
        self.encoder.encode(opcode, payload, into: &bytes)
        context.write(self.wrapOutboundOut(bytes), promise: nil)
    }

    /// Sends Close; the server closes the connection, the client waits for that unless the server is at fault.
    private func close(with code: WebSocketCloseCode?, _ context: ChannelHandlerContext) {
        self.isClosing = true
        var bytes = ByteBuffer()
        self.encoder.encodeClose(code, into: &bytes)
        let channel = context.channel
        context.writeAndFlush(self.wrapOutboundOut(bytes)).whenComplete { _ in
            channel.close(promise: nil)
        }
    }
}
