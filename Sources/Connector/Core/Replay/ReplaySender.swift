// SPDX-License-Identifier: Apache-2.0

import Inspection
import NIOCore
import NIOSSL

/// A request that is to be sent a number of times.
struct ReplayBatch: Sendable {
    let request: ReplayRequest
    let target: OriginTarget
    /// One for each time.
    let exchanges: [ExchangeCapture]
    /// Called when one is over.
    let onEnd: @Sendable (CaptureID) -> Void
}

/// Sends the requests of a batch, each over a connection of its own; belongs to one event loop.
final class ReplaySender {
    private let batch: ReplayBatch
    private let tls: Result<OriginTLS?, any Error>
    private let eventLoop: any EventLoop
    private let ring: CaptureRing
    private let onOpen: @Sendable (CaptureID, any Channel) -> Void
    private let dialer: OriginDialer
    private var rest: ArraySlice<ExchangeCapture>

    init(
        batch: ReplayBatch,
        tls: Result<OriginTLS?, any Error>,
        eventLoop: any EventLoop,
        ring: CaptureRing,
        onOpen: @escaping @Sendable (CaptureID, any Channel) -> Void
    ) {
        self.batch = batch
        self.tls = tls
        self.eventLoop = eventLoop
        self.ring = ring
        self.onOpen = onOpen
        self.dialer = OriginDialer(
            targets: [:],
            tls: (try? tls.get()) ?? nil,
            eventLoop: eventLoop,
            observer: .none
        )
        self.rest = batch.exchanges[...]
    }

    /// Sends the next request, and when it is over the one after it.
    func next() {
        guard let exchange = self.rest.popFirst() else { return }
        // It was cancelled while it waited.
        guard !exchange.isOver else { return self.ended(exchange) }
        exchange.started(at: .now())
        self.dialer.connect(to: self.batch.target).assumeIsolated().whenComplete { result in
            do {
                self.use(try result.get(), for: exchange)
            } catch {
                self.failed(exchange, error)
            }
        }
    }

    private func use(_ channel: any Channel, for exchange: ExchangeCapture) {
        let request = self.batch.request
        var bytes = ByteBufferAllocator().buffer(capacity: request.head.count + request.body.count)
        bytes.writeBytes(request.head)
        bytes.writeBytes(request.body)
        let origin = ExchangeOrigin(
            tunnel: exchange.tunnel,
            connection: exchange.connection,
            replayOf: exchange.replayOf
        )
        let usesTLS = self.batch.target.usesTLS
        do {
            let pipeline = channel.pipeline.syncOperations
            if usesTLS {
                _ = try self.tls.get()
                try pipeline.addHandler(self.dialer.makeTLSHandler(host: self.batch.target.host))
            }
            try pipeline.addHandler(
                ReplayHandler(
                    request: bytes,
                    usesTLS: usesTLS,
                    exchange: exchange,
                    recorder: ExchangeRecorder(ring: self.ring, origin: origin, prepared: exchange)
                )
            )
            try channel.syncOptions?.setOption(.autoRead, value: true)
        } catch {
            channel.close(promise: nil)
            return self.failed(exchange, error)
        }
        self.onOpen(exchange.id, channel)
        channel.closeFuture.assumeIsolated().whenComplete { _ in
            // A handshake that failed has closed the channel before anything was sent.
            exchange.ended(.failed("The connection to the local server broke before there was a response."), at: .now())
            self.ended(exchange)
        }
    }

    private func failed(_ exchange: ExchangeCapture, _ error: any Error) {
        let settings = ((try? self.tls.get()) ?? nil)?.settings ?? .flags
        let reason = OriginFailure(error, dialling: self.batch.target, settings: settings).reason
        exchange.ended(.failed("The local server can't be reached: \(reason)."), at: .now())
        self.ended(exchange)
    }

    private func ended(_ exchange: ExchangeCapture) {
        self.batch.onEnd(exchange.id)
        // Not from within: a hundred that fail at once would go deep.
        self.eventLoop.assumeIsolated().execute { self.next() }
    }
}
