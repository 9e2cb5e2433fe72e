// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol
import SystemErrors

extension SessionHandler {
    /// Whether the session outlives its connection.
    public var isResumable: Bool { self.core.isResumable }
    /// Since when the session has no connection, if it has none.
    public var suspension: Suspension? { self.core.suspension }
    /// How much memory keeps what may have to be sent again, in bytes.
    public var replayByteCount: Int { self.core.replayByteCount }
    /// What names the session, once both sides have said HELLO and where it can be resumed; 16 bytes.
    public var resumableID: [UInt8]? {
        guard self.core.isResumable else { return nil }
        return self.core.role == .edge ? self.core.configuration.settings.sessionID : self.core.peer?.sessionID
    }

    // MARK: Loss

    /// Gives the connection up; the session is kept where it can be.
    ///
    /// - Returns: Whether it is.
    func suspend(_ reason: String) -> Bool {
        guard self.core.isResumable, self.maySuspend, self.core.suspend(reason: reason, now: .now()) else {
            return false
        }
        self.letGo()
        return true
    }

    /// Closes the connection, of which nothing more is heard.
    func letGo() {
        let transport = self.transport
        self.transport = .none
        transport.close()
    }

    // MARK: A connection that may go on with an earlier session

    /// The first message of a connection that may belong to an earlier session.
    func arrived(_ message: ByteBuffer, now: NIODeadline) {
        var frames = FrameDecoder(message: message)
        guard case .hello(let hello)? = try? frames.next() else { return self.settle(with: message, now: now) }
        switch self.arrival {
        case .settled, .deciding, .carrying: break
        case .resuming(let session):
            guard let received = hello.settings.resumed, let key = hello.settings.resumeKey, let context else {
                // The new session first, which may take the place of the old one.
                self.settle(with: message, now: now)
                return session.giveUp("the edge does not know the session any more")
            }
            guard let request = session.core.resumeRequest, request == self.core.configuration.settings.resume else {
                // Another connection has gone on with it since this one said how much had come: what the edge sends over
                // this one has come already, or it is not what the edge goes on with.
                self.arrival = .settled
                self.core.connectionLost(reason: "another connection has gone on with the session")
                self.letGo()
                return self.dispatchEvents()
            }
            let carrier = SessionCarrier(connection: context, sessionLoop: context.eventLoop)
            // The connection may end while the session begins to speak over it, which the session has to see then: an
            // attempt that had failed by that would be made again, beside the one that follows.
            let rest = self.handOver(to: carrier)
            session.goOn(over: carrier, received: received, key: key, hello: nil, rest: rest)
        case .asking(let find):
            guard let request = hello.settings.resume else { return self.settle(with: message, now: now) }
            guard !self.decoder.hasRest else { return self.refuseHaste() }
            self.arrival = .deciding
            find(request) { self.found($0, request, hello, message) }
        }
    }

    private func found(
        _ candidate: NIOLoopBound<SessionHandler>?,
        _ request: ResumeRequest,
        _ hello: HelloFrame,
        _ message: ByteBuffer
    ) {
        // The connection may have ended meanwhile.
        guard case .deciding = self.arrival, let context else { return }
        guard let candidate else { return self.settle(with: message, now: .now()) }
        let carrier = SessionCarrier(connection: context, sessionLoop: candidate.eventLoop)
        if candidate.eventLoop === context.eventLoop {
            let isGranted = candidate.value.grant(request, of: hello, over: carrier) { self.carry(carrier) }
            if !isGranted { self.settle(with: message, now: .now()) }
            return
        }
        let (bound, loop) = (NIOLoopBound(self, eventLoop: context.eventLoop), context.eventLoop)
        candidate.eventLoop.execute {
            let isGranted = candidate.value.grant(request, of: hello, over: carrier) {
                // Before the first bytes of the session, which take the same way.
                loop.execute { bound.value.carry(carrier) }
            }
            guard !isGranted else { return }
            loop.execute { bound.value.settle(with: message, now: .now()) }
        }
    }

    /// The connection belongs to this handler's own session after all.
    private func settle(with message: ByteBuffer, now: NIODeadline) {
        self.arrival = .settled
        self.core.receive(message, now: now)
        self.decode(now: now)
        self.dispatchEvents()
        self.pump()
    }

    /// An edge's connection belongs to an earlier session.
    private func carry(_ carrier: SessionCarrier) {
        guard self.transport.isPresent else { return carrier.ended(TransportFault.closed) }
        _ = self.handOver(to: carrier)
    }

    /// The connection belongs to an earlier session, and this handler's own never was.
    ///
    /// - Returns: What has come of the session already.
    private func handOver(to carrier: SessionCarrier) -> ByteBuffer {
        self.arrival = .carrying(carrier)
        self.cancelTick()
        self.core.abandon()
        self.tellHandOver()
        return self.decoder.takeRest()
    }

    /// Ends a connection over which more than HELLO came before its answer: nobody knows what session it belongs to.
    func refuseHaste() {
        let transport = self.transport
        self.connectionEnded("more than HELLO came before its answer")
        transport.close()
    }

    // MARK: The session that goes on

    /// Grants a connector's return, whatever state this side takes the old connection to be in.
    ///
    /// - Parameters:
    ///   - request: What the connector says.
    ///   - hello: The rest of what it says.
    ///   - carrier: The new connection.
    ///   - begin: Called before anything is written to it.
    /// - Returns: Whether it is granted.
    private func grant(
        _ request: ResumeRequest,
        of hello: HelloFrame,
        over carrier: SessionCarrier,
        begin: () -> Void
    ) -> Bool {
        guard self.core.grants(request, bundle: hello.settings.bundle) else { return false }
        // What the old connection still brings is not counted any more, and comes again.
        if self.core.suspension == nil {
            guard self.core.suspend(reason: "the connector came back over another connection", now: .now()) else {
                return false
            }
            self.letGo()
            self.dispatchEvents()
        }
        begin()
        let hello = self.core.helloOfReturn(to: request)
        self.goOn(over: carrier, received: request.received, key: nil, hello: hello, rest: ByteBuffer())
        return true
    }

    /// Goes on over a new connection, of which `rest` has come already.
    private func goOn(
        over carrier: SessionCarrier,
        received: UInt64,
        key: ResumeKey?,
        hello: HelloFrame?,
        rest: ByteBuffer
    ) {
        let resumption: Resumption
        do {
            resumption = try self.core.resume(received: received, key: key, now: .now())
        } catch {
            carrier.close()
            self.core.transportFailed(error)
            self.pump()
            return
        }
        carrier.begin(self)
        self.transport = .carried(carrier)
        self.beginConnection()
        if let hello {
            var buffer = ByteBuffer()
            let start = self.encoder.begin(in: &buffer)
            FrameEncoder.encode(.hello(hello), into: &buffer)
            self.encoder.finish(.binary, from: start, in: &buffer)
            self.transport.write(buffer)
            self.transport.flush()
        }
        self.tellResumption(resumption)
        if rest.readableBytes > 0 {
            self.read(rest)
            self.readCompleted()
        }
        self.pump()
    }

    /// Ends a session that no connection goes on with.
    func giveUp(_ reason: String) {
        guard let suspension = self.core.suspension else { return }
        self.core.connectionLost(reason: "\(suspension.reason); \(reason)")
        self.pump()
    }

    /// Ends the session as a lost one, if it has no connection: what would follow can't wait for one.
    public func endIfSuspended(_ reason: String) {
        self.giveUp(reason)
    }

    // MARK: Sending again

    /// The next of what an earlier connection may not have brought.
    func nextAgain() -> ByteBuffer? {
        while let again = self.core.nextAgain() {
            var bytes = again.bytes
            bytes.skipMessages(again.skipped, isMasked: self.core.role == .connector)
            if bytes.readableBytes > 0 { return bytes }
        }
        return nil
    }
}

extension ByteBuffer {
    /// Moves behind the first messages of what this side has encoded.
    mutating func skipMessages(_ count: Int, isMasked: Bool) {
        var left = count
        while left > 0, let header = try? WebSocketFrameHeader.peek(self, isMaskExpected: isMasked) {
            self.moveReaderIndex(forwardBy: min(header.length + header.payloadLength, self.readableBytes))
            if header.opcode == .binary { left -= 1 }
        }
    }
}
