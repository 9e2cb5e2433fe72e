// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

extension SessionHandler {
    // MARK: The connection

    /// The handler is in the pipeline of its connection.
    func enter(_ context: ChannelHandlerContext) {
        self.transport = .own(context)
        self.eventLoop = context.eventLoop
        self.firstChannel = context.channel
    }

    /// The session speaks over a connection that nothing has been said over.
    func beginConnection() {
        self.retained = nil
        self.closing = .open
        self.pongDue = nil
        self.unwritableSince = nil
        self.unsentLimit = UnsentLimit()
        self.messageLength = MessageLength()
        self.transport.apply(self.unsentLimit)
        self.decoder = WebSocketDecoder(
            isServer: self.core.role == .edge,
            maximumMessage: Int(self.core.configuration.settings.maximumMessage)
        )
    }

    /// Bytes of the connection.
    func read(_ bytes: ByteBuffer) {
        let now = NIODeadline.now()
        self.isReading = true
        self.core.receivedBytes(now: now)
        self.decoder.append(bytes)
        self.decode(now: now)
        self.dispatchEvents()
    }

    /// What there was to read has been read.
    func readCompleted() {
        self.completeReads()
        self.core.compactUnread()
        self.isReading = false
        self.pump()
    }

    func decode(now: NIODeadline) {
        do {
            while self.arrival.isDecoding, let element = try self.decoder.next() { self.receive(element, now: now) }
        } catch {
            self.webSocketFailed(error)
        }
    }

    func writabilityChanged(_ isWritable: Bool) {
        if isWritable {
            self.unwritableSince = nil
            self.pump()
        } else {
            self.unwritableSince = .now()
        }
    }

    /// Whether the owner has room for a session without a connection.
    var maySuspend: Bool { self.delegate?.sessionMaySuspend(self) ?? true }

    func tellResumption(_ resumption: Resumption) {
        self.delegate?.sessionDidResume(self, resumption)
    }

    func tellHandOver() {
        self.delegate?.sessionDidHandOver(self)
    }

    func suspended(_ reason: String) {
        self.retained = self
        self.letGo()
        self.delegate?.sessionDidSuspend(self, reason: reason)
        self.scheduleTick()
    }

    /// The peer does not answer: another connection may reach it.
    func unresponsive(_ reason: String) {
        guard !self.suspend(reason) else { return }
        self.core.transportFailed(ProtocolViolation(.keepaliveTimeout, reason))
    }
}
