// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Inspection
import NIOConcurrencyHelpers
import NIOCore
import NIOSSL

/// Sends captured requests to the local servers of tunnels once more.
///
/// Each is an exchange of its own, linked to what it repeats, and read by the same capture as what passes a tunnel.
package final class Replays: Sendable {
    private let ring: CaptureRing
    private let directory: TunnelDirectory
    private let group: any EventLoopGroup
    private let running = NIOLockedValueBox<[CaptureID: (any Channel)?]>([:])

    /// The most replays that may be waiting or open at a time.
    package static let maximum = 200

    /// - Parameters:
    ///   - ring: Where the exchanges are kept.
    ///   - directory: The tunnels with their local servers.
    ///   - group: The event loops to use.
    package init(ring: CaptureRing, directory: TunnelDirectory, group: any EventLoopGroup) {
        self.ring = ring
        self.directory = directory
        self.group = group
    }

    /// Begins to send a request.
    ///
    /// - Parameters:
    ///   - request: What to send.
    ///   - tunnel: The tunnel whose local server gets it; `nil` means the only one.
    ///   - times: How often.
    ///   - concurrency: How many at a time.
    /// - Returns: The new exchanges.
    /// - Throws: ``ProblemDetails`` if there is no such tunnel, or no room.
    package func send(
        _ request: ReplayRequest,
        to tunnel: String?,
        times: Int = 1,
        concurrency: Int = 1
    ) throws(ProblemDetails) -> [CaptureID] {
        guard let (id, target, trust) = self.directory.destination(of: tunnel) else {
            let name =
                tunnel.map { "The tunnel \($0) is not served any more" } ?? "It is not clear which tunnel is meant"
            throw .inspector(409, "tunnel_gone", "\(name): choose one of the tunnels that are.")
        }
        let now = NIODeadline.now()
        var exchanges: [ExchangeCapture] = []
        for _ in 0..<times {
            let origin = ExchangeOrigin(
                tunnel: id,
                connection: self.ring.nextConnection(),
                replayOf: request.original
            )
            let exchange = self.ring.begin(origin, head: request.head, at: now)
            guard let exchange, self.take(exchange.id) else {
                for id in exchanges.map(\.id) + (exchange.map { [$0.id] } ?? []) {
                    self.give(id)
                    _ = self.ring.remove(id)
                }
                throw .inspector(429, "busy", "Too many replays are open: wait until some of them are over.")
            }
            exchanges.append(exchange)
        }
        let loop = self.group.next()
        let batch = ReplayBatch(request: request, target: target, exchanges: exchanges) { self.give($0) }
        let usable = Result { try target.usesTLS ? OriginTLS(trust) : nil }
        loop.execute {
            let sender = ReplaySender(batch: batch, tls: usable, eventLoop: loop, ring: self.ring) { id, channel in
                self.running.withLockedValue { if $0[id] != nil { $0[id] = .some(channel) } }
            }
            for _ in 0..<concurrency { sender.next() }
        }
        return exchanges.map(\.id)
    }

    /// Ends a replay that is open, with a reset.
    ///
    /// - Returns: Whether there was one.
    package func cancel(_ id: CaptureID) -> Bool {
        let entry = self.running.withLockedValue { $0[id] }
        guard let entry else { return false }
        self.ring.exchange(id)?.ended(.failed("The replay was cancelled."), at: .now())
        entry?.close(promise: nil)
        return true
    }

    private func take(_ id: CaptureID) -> Bool {
        self.running.withLockedValue { running in
            guard running.count < Self.maximum else { return false }
            running[id] = .some(nil)
            return true
        }
    }

    private func give(_ id: CaptureID) {
        self.running.withLockedValue { _ = $0.removeValue(forKey: id) }
    }
}
