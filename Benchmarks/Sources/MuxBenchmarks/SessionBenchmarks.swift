// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Mux
import NIOCore
import NIOPosix
import Protocol

/// Sessions over a loopback socket, both ends in this process and both counted.
struct SessionBenchmarks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "session", abstract: "Measures sessions on loopback.")

    @Option(help: "How many gigabytes each bulk transfer moves.")
    var gigabytes = 2.0

    func run() async throws {
        // First, while the process has no freed memory to use again.
        try await self.idleStreams()
        try await self.openExchangeClose()
        try await self.keptStream()
        try await self.bulk(toConnector: true)
        try await self.bulk(toConnector: false)
        try await self.manyStreams()
        try await self.stalledStreams()
    }

    private func openExchangeClose() async throws {
        let pair = try await LoopbackPair.make { stream in
            try? stream.pipeline.syncOperations.addHandler(EchoHandler())
            stream.accept()
        }
        let (total, inFlight) = (100_000, 32)
        let request = ByteBuffer(repeating: 0x61, count: 200)
        for rounds in [5_000, total] {
            let mark = Measurement.Mark()
            try await self.onLoop(pair) { session, done in
                var (started, finished) = (0, 0)
                func start() {
                    started += 1
                    let promise = pair.edgeLoop.makePromise(of: Int.self)
                    promise.futureResult.assumeIsolated().whenComplete { result in
                        finished += 1
                        // A stream that was refused is no exchange.
                        if (try? result.get()) != request.readableBytes { return done.fail(ChannelError.eof) }
                        if finished == rounds { done.succeed() } else if started < rounds { start() }
                    }
                    do {
                        let stream = try session.openStream(kind: .tcp, metadata: OpenMetadata(target: "web")) {
                            try $0.pipeline.syncOperations.addHandler(SinkHandler(promise: promise))
                        }
                        stream.write(request, promise: nil)
                        stream.close(mode: .output, promise: nil)
                    } catch {
                        promise.fail(error)
                    }
                }
                for _ in 0..<inFlight { start() }
            }
            guard rounds == total else { continue }
            let cost = mark.elapsed
            report(
                "open, 200-byte exchange, close; 32 in flight",
                [
                    "processor_microseconds": cost.processorSeconds * 1e6 / Double(rounds),
                    "allocations": Double(cost.allocations) / Double(rounds),
                    "per_second": Double(rounds) / cost.seconds,
                ]
            )
        }
        try await pair.close()
    }

    private func keptStream() async throws {
        let pair = try await LoopbackPair.make { stream in
            try? stream.pipeline.syncOperations.addHandler(AnswerHandler(requestLength: 200, answerLength: 200))
            stream.accept()
        }
        let (total, inFlight) = (400_000, 64)
        let request = ByteBuffer(repeating: 0x61, count: 200)
        let mark = Measurement.Mark()
        try await self.onLoop(pair) { session, done in
            var (started, finished) = (inFlight, 0)
            for _ in 0..<inFlight {
                let handler = RequestHandler(request: request, answerLength: 200) { context, _ in
                    finished += 1
                    if finished == total { done.succeed() }
                    started += 1
                    return started <= total
                }
                do {
                    _ = try session.openStream(kind: .tcp, metadata: OpenMetadata(target: "web")) {
                        try $0.pipeline.syncOperations.addHandler(handler)
                    }
                } catch {
                    done.fail(error)
                }
            }
        }
        let cost = mark.elapsed
        report(
            "200-byte exchange on a kept stream; 64 in flight",
            [
                "processor_microseconds": cost.processorSeconds * 1e6 / Double(total),
                "allocations": Double(cost.allocations) / Double(total),
                "per_second": Double(total) / cost.seconds,
            ]
        )
        try await pair.close()
    }

    private func bulk(toConnector: Bool) async throws {
        let bytes = Int(self.gigabytes * 1e9)
        let finished = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: Int.self)
        let pair = try await LoopbackPair.make { stream in
            let handler: any ChannelHandler =
                toConnector ? SinkHandler(promise: finished) : SourceHandler(bytes: bytes)
            try? stream.pipeline.syncOperations.addHandler(handler)
            stream.accept()
        }
        let mark = Measurement.Mark()
        try await self.onLoop(pair) { session, done in
            do {
                _ = try session.openStream(kind: .tcp, metadata: OpenMetadata(target: "web")) {
                    let handler: any ChannelHandler =
                        toConnector ? SourceHandler(bytes: bytes) : SinkHandler(promise: finished)
                    try $0.pipeline.syncOperations.addHandler(handler)
                }
                done.succeed()
            } catch {
                done.fail(error)
            }
        }
        let received = try await finished.futureResult.get()
        let cost = mark.elapsed
        precondition(received == bytes, "\(received) of \(bytes) bytes came")
        report(
            toConnector ? "one bulk stream, edge to connector" : "one bulk stream, connector to edge (masked)",
            [
                "processor_seconds_per_gigabyte": cost.processorSeconds / self.gigabytes,
                "megabytes_per_second": self.gigabytes * 1_000 / cost.seconds,
                "allocations_per_megabyte": Double(cost.allocations) / (self.gigabytes * 1_000),
            ]
        )
        try await pair.close()
    }

    /// A thousand streams that always have something to send: how evenly they share.
    private func manyStreams() async throws {
        let count = 1_000
        let pair = try await LoopbackPair.make(maximumStreams: 1_024) { stream in
            try? stream.pipeline.syncOperations.addHandler(SourceHandler(bytes: .max))
            stream.accept()
        }
        let sinks = try await self.valueOnLoop(pair) { session in
            try (0..<count).map { _ in
                let sink = SinkHandler(promise: nil)
                _ = try session.openStream(kind: .tcp, metadata: OpenMetadata(target: "web")) {
                    try $0.pipeline.syncOperations.addHandler(sink)
                }
                return sink
            }
        }
        let received = { @Sendable () async throws -> [Double] in
            try await pair.edgeLoop.submit { sinks.value.map { Double($0.received) } }.get()
        }
        try await Task.sleep(for: .seconds(1))
        let before = try await received()
        let mark = Measurement.Mark()
        try await Task.sleep(for: .seconds(5))
        let cost = mark.elapsed
        let shares = zip(try await received(), before).map { $0 - $1 }
        let sum = shares.reduce(0, +)
        let squares = shares.reduce(0) { $0 + $1 * $1 }
        report(
            "1 000 bulk streams",
            [
                "jain_index": sum * sum / (Double(count) * squares),
                "least_of_mean": (shares.min() ?? 0) * Double(count) / sum,
                "megabytes_per_second": sum / 1e6 / cost.seconds,
            ]
        )
        try await pair.close()
    }

    /// A thousand streams whose consumers take nothing: what they hold in memory, and what an echo beside them takes.
    private func stalledStreams() async throws {
        let pair = try await LoopbackPair.make(maximumStreams: 1_024) { stream in
            guard case .success(let metadata)? = stream.opening?.metadata else { return }
            let handler: any ChannelHandler =
                metadata.target == "bulk"
                ? SourceHandler(bytes: .max) : AnswerHandler(requestLength: 200, answerLength: 200)
            try? stream.pipeline.syncOperations.addHandler(handler)
            stream.accept()
        }
        let resident = Measurement.residentBytes
        _ = try await self.echoTimes(pair, count: 5_000)
        let alone = try await self.echoTimes(pair, count: 20_000)
        let streams = try await self.valueOnLoop(pair) { session in
            try (0..<1_000).map { _ in
                try session.openStream(kind: .tcp, metadata: OpenMetadata(target: "bulk")) {
                    try $0.syncOptions?.setOption(.autoRead, value: false)
                }
            }
        }
        try await Task.sleep(for: .seconds(2))
        let beside = try await self.echoTimes(pair, count: 20_000)
        let held = try await pair.edgeLoop.submit { pair.edge.value.bufferedByteCount }.get()
        report(
            "echo beside 1 000 stalled streams",
            [
                "alone_p50_us": alone[alone.count / 2], "beside_p50_us": beside[beside.count / 2],
                "p50_ratio": beside[beside.count / 2] / alone[alone.count / 2],
                "p99_ratio": beside[beside.count * 99 / 100] / alone[alone.count * 99 / 100],
                "held_mib": Double(held) / 1_048_576,
                "resident_growth_mib_both_ends": Double(Measurement.residentBytes - resident) / 1_048_576,
            ]
        )
        withExtendedLifetime(streams) {}
        try await pair.close()
    }

    /// How long exchanges on one stream took, one after the other, in microseconds, in order of size.
    private func echoTimes(_ pair: LoopbackPair, count: Int) async throws -> [Double] {
        let times = pair.edgeLoop.makePromise(of: [Double].self)
        pair.edgeLoop.execute {
            var found: [Double] = []
            found.reserveCapacity(count)
            let request = ByteBuffer(repeating: 0x61, count: 200)
            let handler = RequestHandler(request: request, answerLength: 200) { context, sent in
                found.append(Double((NIODeadline.now() - sent).nanoseconds) / 1e3)
                guard found.count == count else { return true }
                times.succeed(found.sorted())
                context.close(promise: nil)
                return false
            }
            do {
                _ = try pair.edge.value.openStream(kind: .tcp, metadata: OpenMetadata(target: "echo")) {
                    try $0.pipeline.syncOperations.addHandler(handler)
                }
            } catch {
                times.fail(error)
            }
        }
        return try await times.futureResult.get()
    }

    private func idleStreams() async throws {
        let count = 10_000
        let pair = try await LoopbackPair.make(maximumStreams: 16_384) { $0.accept() }
        try await Task.sleep(for: .milliseconds(200))
        let before = Measurement.residentBytes
        for _ in 0..<count / 500 {
            _ = try await self.valueOnLoop(pair) { session in
                for _ in 0..<500 {
                    _ = try session.openStream(kind: .tcp, metadata: OpenMetadata(target: "web")) { _ in }
                }
            }
            while try await pair.edgeLoop.submit({ pair.edge.value.hasOpensWaiting }).get() {
                try await Task.sleep(for: .milliseconds(5))
            }
        }
        try await Task.sleep(for: .milliseconds(500))
        let grown = Measurement.residentBytes - before
        report(
            "10 000 idle streams, both ends",
            [
                "bytes_per_stream_both_ends": Double(grown) / Double(count),
                "bytes_per_stream": Double(grown) / Double(count) / 2,
            ]
        )
        try await pair.close()
    }

    // MARK: Working on the edge's loop

    private func onLoop(
        _ pair: LoopbackPair,
        _ body: @escaping @Sendable (SessionHandler, EventLoopPromise<Void>) -> Void
    ) async throws {
        let done = pair.edgeLoop.makePromise(of: Void.self)
        pair.edgeLoop.execute { body(pair.edge.value, done) }
        try await done.futureResult.get()
    }

    private func valueOnLoop<Value>(
        _ pair: LoopbackPair,
        _ body: @escaping @Sendable (SessionHandler) throws -> Value
    ) async throws -> NIOLoopBound<Value> {
        try await pair.edgeLoop.submit {
            NIOLoopBound(try body(pair.edge.value), eventLoop: pair.edgeLoop)
        }.get()
    }
}
