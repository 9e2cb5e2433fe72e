// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import NIOCore
import NIOSSL
import Protocol

/// Asks a local server for the head of a page, to see whether it speaks what its target says.
final class TargetProbe: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// How long the server has: a slow one is not a wrong one.
    private static let patience = TimeAmount.seconds(5)

    private let target: OriginTarget
    private let promise: EventLoopPromise<String>

    private init(target: OriginTarget, promise: EventLoopPromise<String>) {
        self.target = target
        self.promise = promise
    }

    /// Tries a connection that has been opened and reads nothing yet, and closes it.
    ///
    /// - Returns: What was found.
    static func run(on channel: any Channel, target: OriginTarget) async throws -> String {
        let promise = channel.eventLoop.makePromise(of: String.self)
        let address = target.address
        channel.eventLoop.execute {
            do {
                if target.usesTLS {
                    let context = try NIOSSLContext(configuration: .makeClientConfiguration())
                    try channel.pipeline.syncOperations.addHandler(
                        NIOSSLClientHandler(context: context, addressing: target.host)
                    )
                }
                try channel.pipeline.syncOperations.addHandler(TargetProbe(target: target, promise: promise))
                let head = "HEAD / HTTP/1.1\r\nHost: \(target.hostField)\r\nConnection: close\r\n\r\n"
                channel.writeAndFlush(ByteBuffer(string: head), promise: nil)
                try channel.syncOptions?.setOption(.autoRead, value: true)
            } catch {
                promise.fail(error)
            }
        }
        let timeout = channel.eventLoop.scheduleTask(in: Self.patience) {
            promise.succeed(
                "\(address) takes connections, and says nothing to HEAD / for 5 s: is it slow, or does it speak HTTP?"
            )
        }
        defer {
            timeout.cancel()
            channel.close(promise: nil)
        }
        return try await promise.futureResult.get()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = self.unwrapInboundIn(data)
        let begin = Array(bytes.readableBytesView.prefix(12))
        if begin.starts(with: "HTTP/1.".utf8) {
            let status = String(decoding: begin.dropFirst(9), as: UTF8.self)
            self.promise.succeed("\(self.target.address) answers HEAD / with \(status)")
        } else {
            // A record of TLS: an alert (RFC 8446 §5.1).
            let isTLS = begin.first == 0x15
            self.promise.fail(
                OriginFailure(
                    code: .localTLSError,
                    reason: isTLS
                        ? "\(self.target.address) speaks TLS: write https:// in front of it"
                        : "\(self.target.address) speaks something else than HTTP/1.1\(Self.greeting(bytes)): culvert tcp "
                            + "carries that"
                )
            )
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.promise.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.promise.fail(
            OriginFailure(
                code: .localTLSError,
                reason: "\(self.target.address) takes connections, and closes them without an answer to HTTP"
                    + (self.target.usesTLS ? "" : ": if it expects TLS, write https:// in front of it")
            )
        )
    }

    /// What a server said first, if that is text: it tells most protocols by name.
    private static func greeting(_ bytes: ByteBuffer) -> String {
        let line = bytes.readableBytesView.prefix(40).prefix { $0 != 0x0d && $0 != 0x0a }
        guard !line.isEmpty, line.allSatisfy({ (0x20...0x7e).contains($0) }) else { return "" }
        return ", “\(String(decoding: line, as: UTF8.self))”"
    }
}
