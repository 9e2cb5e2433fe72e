// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Synchronization

@testable import Mux

/// What streams are told besides bytes.
final class EventLog: Sendable {
    private struct State {
        var events: [StreamEvent] = []
        var waiters: [(event: StreamEvent, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let log: EventLog

        init(log: EventLog) {
            self.log = log
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if let event = event as? StreamEvent { self.log.note(event) }
        }
    }

    private let state = Mutex(State())

    /// All events so far.
    var events: [StreamEvent] { self.state.withLock { $0.events } }

    /// Makes what writes the events of a stream down.
    func makeHandler() -> any ChannelInboundHandler { Handler(log: self) }

    /// Waits until a stream was told this.
    func wait(for event: StreamEvent) async {
        await withCheckedContinuation { continuation in
            let hasCome = self.state.withLock { state in
                if !state.events.contains(event) { state.waiters.append((event, continuation)) }
                return state.events.contains(event)
            }
            if hasCome { continuation.resume() }
        }
    }

    private func note(_ event: StreamEvent) {
        let ready = self.state.withLock { state in
            state.events.append(event)
            defer { state.waiters.removeAll { $0.event == event } }
            return state.waiters.filter { $0.event == event }
        }
        for waiter in ready { waiter.continuation.resume() }
    }
}
