// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import NIOCore
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
    /// - Parameters:
    ///   - channel: The connection.
    ///   - target: What it leads to.
    ///   - tls: How TLS is spoken to the target; `nil` for one without.
    /// - Returns: What was found.
    static func run(on channel: any Channel, target: OriginTarget, tls: OriginTLS?) async throws -> String {
        let promise = channel.eventLoop.makePromise(of: String.self)
        let address = target.address
        channel.eventLoop.execute {
            do {
                if let tls { try channel.pipeline.syncOperations.addHandler(tls.makeHandler(host: target.host)) }
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
        let outcome: Result<String, any Error>
        do {
            outcome = .success(try await promise.futureResult.get())
        } catch {
            outcome = .failure(error)
        }
        // A server that speaks TLS answers 400, or closes the connection.
        if case .success(let finding) = outcome, !finding.hasSuffix(" 400") { return finding }
        if let fault = await OriginSpeech.tlsFault(of: target) {
            throw OriginFailure(code: .localTLSError, reason: fault)
        }
        return try outcome.get()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = self.unwrapInboundIn(data)
        let begin = Array(bytes.readableBytesView.prefix(12))
        if begin.starts(with: "HTTP/1.".utf8) {
            let status = String(decoding: begin.dropFirst(9), as: UTF8.self)
            self.promise.succeed("\(self.target.address) answers HEAD / with \(status)")
        } else {
            let fault = OriginSpeech.fault(bytes, of: self.target)
            let reason = fault ?? "\(self.target.address) says no whole line of HTTP"
            self.promise.fail(OriginFailure(code: .localTLSError, reason: reason))
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
}
