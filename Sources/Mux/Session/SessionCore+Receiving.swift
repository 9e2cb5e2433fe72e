// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

extension SessionCore {
    /// Takes one message in.
    ///
    /// A violation ends the session: GOAWAY becomes due and ``SessionEvent/ended(_:)`` follows.
    ///
    /// - Parameters:
    ///   - message: The payload of a binary WebSocket message, unmasked.
    ///   - now: The time.
    public mutating func receive(_ message: ByteBuffer, now: NIODeadline) {
        guard self.phase != .closing, self.phase != .closed else { return }
        self.receivedBytes(now: now)
        // The first message is HELLO, which does not count.
        let counts = self.isResumable
        var isAcknowledgementOnly = true
        var decoder = FrameDecoder(message: message)
        do {
            while let frame = try decoder.next() {
                if case .acknowledge = frame {} else { isAcknowledgementOnly = false }
                try self.receive(frame, now: now)
                if self.phase == .closing || self.phase == .closed { break }
            }
            if counts {
                self.countReceived(message.readableBytes, owesAcknowledgement: !isAcknowledgementOnly, now: now)
            }
        } catch {
            self.fail(error)
        }
        self.finishBatch()
    }

    /// Ends the session because of what the transport below saw.
    ///
    /// - Parameter violation: What was wrong.
    public mutating func transportFailed(_ violation: ProtocolViolation) {
        self.fail(violation)
        self.finishBatch()
    }

    /// What is told to the governor once a batch rather than once a frame.
    mutating func finishBatch() {
        let held = self.bufferedBytes + self.replay.byteCount + self.replay.spares.byteCount
        let change = held - self.reportedBytes
        if change != 0 {
            self.configuration.governor.change(by: change)
            self.reportedBytes = held
        }
    }

    private mutating func receive(_ frame: Frame, now: NIODeadline) throws(ProtocolViolation) {
        guard self.phase != .helloWait else {
            guard case .hello(let hello) = frame else {
                throw ProtocolViolation(.protocolError, "the first frame is not HELLO")
            }
            return try self.receiveHello(hello, now: now)
        }
        switch frame {
        case .data(let id, let payload, let isLast):
            try self.receiveData(id, payload, isLast: isLast, now: now)
        case .windowUpdate(let id, let offset):
            try self.receiveWindowUpdate(id, offset, now: now)
        case .open(let id, let open):
            try self.receiveOpen(id, open, now: now)
        case .openAck(let id, _):
            try self.receiveOpenAck(id)
        case .reject(let id, let code, let reason):
            try self.receiveReject(id, code, reason)
        case .blocked(let id, let offset):
            try self.receiveBlocked(id, offset, now: now)
        case .reset(let id, let code, let reason):
            try self.receiveReset(id, code, reason)
        case .stopSending(let id, let code):
            try self.receiveStopSending(id, code)
        case .ping(let number):
            try self.receivePing(number, now: now)
        case .pong(let number):
            try self.receivePong(number, now: now)
        case .goAway(let goAway):
            try self.receiveGoAway(goAway, now: now)
        case .maximumStreams(let count):
            if count > self.peerStreamLimit {
                self.peerStreamLimit = count
            } else {
                try self.conduct.glitch(now: now)
            }
        case .acknowledge(let count):
            try self.receiveAcknowledgement(count, now: now)
        case .hello:
            throw ProtocolViolation(.protocolError, "a second HELLO")
        case .extension(_, _, let length):
            try self.conduct.glitch(now: now)
            try self.conduct.ignoredExtension(bytes: WireFormat.headerLength + length, now: now)
        }
    }

    private mutating func receiveHello(_ hello: HelloFrame, now: NIODeadline) throws(ProtocolViolation) {
        guard hello.role == self.role.peer.rawValue else {
            throw ProtocolViolation(.protocolError, "the peer claims role \(hello.role)")
        }
        let settings = hello.settings
        self.peer = settings
        self.capabilities = self.configuration.capabilities.intersection(hello.capabilities)
        if self.capabilities.contains(.sharing) { self.budget.raise(to: self.configuration.sharedBudget) }
        self.life.receivedHello()
        self.startResuming(peer: settings)
        self.peerStreamLimit = settings.maximumStreams
        self.credit.start(granted: UInt64(settings.connectionWindow))
        let idle = min(settings.idleTimeoutMilliseconds, self.configuration.settings.idleTimeoutMilliseconds)
        // Ten per cent of jitter either way, so that a thousand sessions do not ping in step.
        let jitter = Double.random(in: 0.9...1.1, using: &self.random)
        self.liveness.start(keepaliveInterval: .milliseconds(Int64(Double(idle) / 3 * jitter)))
        self.events.append(.active(peer: settings))
    }

    private mutating func receivePing(_ number: UInt64, now: NIODeadline) throws(ProtocolViolation) {
        try self.conduct.ping(now: now)
        guard self.pongs.count < 16 else {
            self.limitHits[.unansweredPings, default: 0] += 1
            return try self.conduct.glitch(now: now)
        }
        self.pongs.append(number)
    }

    private mutating func receivePong(_ number: UInt64, now: NIODeadline) throws(ProtocolViolation) {
        guard let answer = self.liveness.receivedPong(number, now: now) else {
            return try self.conduct.glitch(now: now)
        }
        if case .roundTrip(let sample) = answer { self.credit.measured(sample, now: now) }
        for id in self.barrier.receivedPong(number) {
            if let slot = self.streams.slot(of: id), self.streams[slot].wire == .zombie {
                self.closeWire(slot)
            }
        }
        if self.life.drain?.isAnswered(by: number) == true { self.sendFinalGoAway() }
    }
}
