// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Mux
import NIOCore
import NIOPosix
import Protocol

/// The far end of a link: a session that asks for nothing and plain TCP beside it.
struct LinkServer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "link-server",
        abstract: "Connects to a link-client from the other side of a link: a source and an answering service."
    )

    @Argument(help: "The address of the link-client.")
    var host: String

    @Option(help: "The port of the link-client's sessions; the next one is for plain TCP.")
    var port = 7_700

    func run() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let address = try SocketAddress(ipAddress: self.host, port: self.port)
        let session = try await LoopbackPair.connect(to: address, on: group.next()) {
            Self.serve($0)
        }
        let plain = try await ClientBootstrap(group: group.next())
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(SourceHandler(bytes: .max))
                }
            }
            .connect(to: SocketAddress(ipAddress: self.host, port: self.port + 1)).get()
        try? await plain.closeFuture.get()
        try await session.closeFuture.get()
    }

    private static func serve(_ stream: StreamChannel) {
        guard case .success(let metadata)? = stream.opening?.metadata else { return }
        let handler: any ChannelHandler =
            metadata.target == "bulk"
            ? SourceHandler(bytes: .max) : AnswerHandler(requestLength: 200, answerLength: 2_048)
        try? stream.pipeline.syncOperations.addHandler(handler)
        stream.accept()
    }
}

/// The near end of a link: measures what comes over it.
struct LinkClient: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "link-client",
        abstract: "Waits for a link-server and measures plain TCP, one bulk stream, and small requests beside bulk."
    )

    @Argument(help: "The address to listen on.")
    var host: String

    @Option(help: "The port for sessions; the next one is for plain TCP.")
    var port = 7_700

    @Option(help: "How long each measurement takes, in seconds.")
    var seconds = 8.0

    @Option(help: "How long each flow may take to find its speed before, in seconds.")
    var warmUp = 4.0

    @Option(help: "The window that every stream keeps, in bytes; without it windows tune themselves.")
    var fixedWindow: Int?

    @Option(help: "How many bulk streams run beside the small requests; 0 leaves that out.")
    var beside = 64

    func run() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let loop = group.next()
        let plainListenerChild = loop.makePromise(of: (any Channel).self)
        let plainSink = group.next().makePromise(of: NIOLoopBound<SinkHandler>.self)
        let plainListener = try await ServerBootstrap(group: plainSink.futureResult.eventLoop)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let sink = SinkHandler(promise: nil)
                    try channel.pipeline.syncOperations.addHandler(sink)
                    plainSink.succeed(NIOLoopBound(sink, eventLoop: channel.eventLoop))
                    plainListenerChild.succeed(channel)
                }
            }
            .bind(host: self.host, port: self.port + 1).get()
        let listener = try await LoopbackPair.listen(
            on: loop,
            host: self.host,
            port: self.port,
            fixedWindow: self.fixedWindow
        )
        let session = try await listener.session.get()

        let plain = try await plainSink.futureResult.get()
        let plainRate = try await self.rate { try await plain.eventLoop.submit { plain.value.received }.get() }
        try await plainListenerChild.futureResult.get().close()
        try await plainListener.close()

        let bulk = try await self.openBulk(session, loop, count: 1)
        let bulkRate = try await self.rate { try await loop.submit { bulk.value.first?.sink.received ?? 0 }.get() }
        report(
            "one bulk stream over the link",
            ["plain_mbit": plainRate * 8 / 1e6, "stream_mbit": bulkRate * 8 / 1e6, "ratio": bulkRate / plainRate]
        )
        guard self.beside > 0 else { return }
        let more = try await self.openBulk(session, loop, count: self.beside - 1)
        try await Task.sleep(for: .seconds(self.warmUp))
        let received = { () async throws -> [Int] in
            try await loop.submit { (bulk.value + more.value).map { $0.sink.received } }.get()
        }
        let (before, start) = (try await received(), ContinuousClock.now)
        let times = try await self.smallRequests(session, loop).sorted()
        let shares = zip(try await received(), before).map { Double($0 - $1) }
        let bulkBytes = shares.reduce(0, +)
        report(
            "200-byte requests beside \(self.beside) bulk streams",
            [
                "count": Double(times.count), "p50_ms": times[times.count / 2],
                "p99_ms": times[min(times.count - 1, times.count * 99 / 100)], "max_ms": times.last ?? 0,
                "jain_index": bulkBytes * bulkBytes
                    / (Double(shares.count) * shares.reduce(0) { $0 + $1 * $1 }),
                "bulk_mbit": bulkBytes * 8 / 1e6 / ((ContinuousClock.now - start) / .seconds(1)),
            ]
        )
    }

    private struct Bulk {
        var stream: StreamChannel
        var sink: SinkHandler
    }

    private func openBulk(
        _ session: NIOLoopBound<SessionHandler>,
        _ loop: any EventLoop,
        count: Int
    ) async throws -> NIOLoopBound<[Bulk]> {
        try await loop.submit {
            let streams = try (0..<count).map { _ in
                let sink = SinkHandler(promise: nil)
                let stream = try session.value.openStream(kind: .tcp, metadata: OpenMetadata(target: "bulk")) {
                    try $0.pipeline.syncOperations.addHandler(sink)
                }
                return Bulk(stream: stream, sink: sink)
            }
            return NIOLoopBound(streams, eventLoop: loop)
        }.get()
    }

    /// Bytes a second, after the warm-up.
    private func rate(_ received: () async throws -> Int) async throws -> Double {
        try await Task.sleep(for: .seconds(self.warmUp))
        let (before, start) = (try await received(), ContinuousClock.now)
        try await Task.sleep(for: .seconds(self.seconds))
        let (after, duration) = (try await received(), ContinuousClock.now - start)
        return Double(after - before)
            / (Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18)
    }

    /// How long each request took, in milliseconds.
    private func smallRequests(
        _ session: NIOLoopBound<SessionHandler>,
        _ loop: any EventLoop
    ) async throws -> [Double] {
        let done = loop.makePromise(of: [Double].self)
        let end = NIODeadline.now() + .nanoseconds(Int64(self.seconds * 1e9))
        loop.execute {
            var times: [Double] = []
            let handler = RequestHandler(request: ByteBuffer(repeating: 0x61, count: 200), answerLength: 2_048) {
                _,
                sent in
                times.append(Double((NIODeadline.now() - sent).nanoseconds) / 1e6)
                guard NIODeadline.now() < end else {
                    done.succeed(times)
                    return false
                }
                return true
            }
            do {
                _ = try session.value.openStream(kind: .tcp, metadata: OpenMetadata(target: "small")) {
                    try $0.pipeline.syncOperations.addHandler(handler)
                }
            } catch {
                done.fail(error)
            }
        }
        return try await done.futureResult.get()
    }
}
