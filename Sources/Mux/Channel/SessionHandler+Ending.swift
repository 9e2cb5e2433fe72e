// SPDX-License-Identifier: Apache-2.0
import Logging
import NIOCore
import Protocol

extension SessionHandler {
    // MARK: The end

    func ended(_ end: SessionEnd) {
        self.cancelTick()
        self.retained = nil
        if !end.isGraceful, end.code != .sessionLost || self.core.peer != nil {
            self.logger.info(
                "session ended",
                metadata: [
                    "code": "\(end.code)", "reason": "\(end.reason)", "by": end.isByPeer ? "peer" : "us",
                ]
            )
        }
        // Nothing more goes out: the writes that wait for it fail, also where there is still something to be read.
        let promising = self.promising
        self.promising = []
        for stream in promising { stream.failPromises(ChannelError.ioOnClosedChannel) }
        self.delegate?.sessionDidEnd(self, end: end)
        guard self.transport.isPresent, self.closing == .open else {
            // Without a connection there is nobody to say it to.
            if !self.transport.isPresent { self.core.connectionLost(reason: end.reason) }
            return
        }
        if end.code == .keepaliveTimeout || end.code == .sessionLost {
            self.closing = .closed
            return self.transport.close()
        }
        let code = end.isGraceful ? WebSocketCloseCode.goingAway : WebSocketCloseCode(session: end.code.rawValue)
        self.startClosing(code, patience: end.isGraceful ? .seconds(3) : .seconds(1))
    }

    func webSocketFailed(_ violation: WebSocketViolation) {
        guard self.closing == .open else { return }
        let reason = "WebSocket: \(violation.reason)"
        self.core.transportFailed(
            violation.closeCode == .messageTooBig
                ? ProtocolViolation(exceeding: .messageSize, reason) : ProtocolViolation(.protocolError, reason)
        )
        // After the core has ended only GOAWAY is left to write, not what the streams have queued.
        self.startClosing(violation.closeCode, patience: .seconds(1))
    }

    /// Sends what is left, then Close, and gives the peer a moment to answer.
    func startClosing(_ code: WebSocketCloseCode, patience: TimeAmount) {
        guard let eventLoop, self.transport.isPresent, self.closing == .open else { return }
        self.writeOutput(limit: .max, now: .now())
        self.closing = .closeSent
        self.writeWebSocketFrame { $0.encodeClose(code, into: &$1) }
        self.transport.flush()
        let transport = self.transport
        eventLoop.assumeIsolated().scheduleTask(in: patience) { transport.close() }
    }

    /// The peer's Close came.
    func finishClosing(answering code: WebSocketCloseCode?) {
        guard self.transport.isPresent else { return }
        let wasOpen = self.closing == .open
        if wasOpen {
            self.closing = .closeSent
            self.writeWebSocketFrame { $0.encodeClose(code, into: &$1) }
            self.transport.flush()
        }
        let reason = "the peer closed the WebSocket" + (code.map { " (\($0.rawValue))" } ?? "")
        // A proxy on the way may close for reasons of its own; the peer's program says that it does.
        let isFarewell = code?.isOfSession == true || self.core.life.hasPeerLeft
        if wasOpen, !isFarewell, self.suspend(reason) { return }
        self.core.connectionLost(reason: reason)
        self.closing = .closed
        self.transport.close()
    }

    func connectionEnded(_ reason: String) {
        guard self.transport.isPresent else { return }
        self.transport = .none
        if self.closing != .open || !self.suspend(reason) {
            self.closing = .closed
            self.cancelTick()
            self.core.connectionLost(reason: reason)
        }
        self.dispatchEvents()
    }

    /// Whether the session may write to its connection.
    var isOpen: Bool { self.closing == .open && self.transport.isPresent && !self.arrival.isHeld }
}
