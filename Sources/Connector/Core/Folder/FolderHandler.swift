// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1
import NIOPosix

/// Answers the requests of one connection from a shared folder, one after the other.
final class FolderHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// How much of a file is in memory at once, for each connection.
    static let pieceSize = 128 << 10

    private let folder: SharedFolder
    private let pool: NIOThreadPool
    private var head: HTTPRequestHead?

    /// - Parameters:
    ///   - folder: What is shared.
    ///   - pool: Where the calls of the file system block.
    init(folder: SharedFolder, pool: NIOThreadPool) {
        self.folder = folder
        self.pool = pool
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
        case .body:
            break
        case .end:
            guard let head = self.head.take() else { return }
            let folder = self.folder
            let context = NIOLoopBound(context, eventLoop: context.eventLoop)
            self.pool.runIfActive(eventLoop: context.value.eventLoop) { FolderAnswer(to: head, from: folder) }
                .assumeIsolated().whenComplete { outcome in
                    guard let answer = try? outcome.get() else { return context.value.close(promise: nil) }
                    self.send(answer, to: head, context.value)
                }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func send(_ answer: FolderAnswer, to request: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let head = HTTPResponseHead(version: .http1_1, status: answer.status, headers: answer.headers)
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        switch answer.body {
        case .part(let file, let range) where request.method == .GET:
            self.send(file, range, keepAlive: request.isKeepAlive, context)
        case .text(let text) where request.method != .HEAD:
            context.write(self.wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
            self.end(keepAlive: request.isKeepAlive, context)
        case .none, .part, .text:
            self.end(keepAlive: request.isKeepAlive, context)
        }
    }

    /// Sends bytes of a file, the next piece when the one before has been taken.
    private func send(_ file: SharedFile, _ range: Range<Int>, keepAlive: Bool, _ context: ChannelHandlerContext) {
        guard !range.isEmpty else { return self.end(keepAlive: keepAlive, context) }
        let size = min(range.count, Self.pieceSize)
        let allocator = context.channel.allocator
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        self.pool.runIfActive(eventLoop: context.eventLoop) { () -> ByteBuffer in
            var piece = allocator.buffer(capacity: size)
            piece.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { memory in
                file.read(at: range.lowerBound, into: UnsafeMutableRawBufferPointer(rebasing: memory[..<size])) ?? 0
            }
            return piece
        }.assumeIsolated().whenComplete { outcome in
            let context = bound.value
            // A file that has become shorter must not look whole.
            guard let piece = try? outcome.get(), piece.readableBytes > 0 else { return context.close(promise: nil) }
            let rest = range.dropFirst(piece.readableBytes)
            context.writeAndFlush(self.wrapOutboundOut(.body(.byteBuffer(piece)))).assumeIsolated().whenSuccess {
                self.send(file, rest, keepAlive: keepAlive, context)
            }
        }
    }

    private func end(keepAlive: Bool, _ context: ChannelHandlerContext) {
        let written = context.writeAndFlush(self.wrapOutboundOut(.end(nil)))
        guard !keepAlive else { return }
        let context = NIOLoopBound(context, eventLoop: context.eventLoop)
        written.assumeIsolated().whenComplete { _ in context.value.close(promise: nil) }
    }
}
