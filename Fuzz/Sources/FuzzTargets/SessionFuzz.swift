// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

@testable import Mux

/// A session core after a valid HELLO: frames near valid ones, local actions and jumps of the clock in any order.
///
/// After each step the invariants hold, and what the core sends is what a peer may expect.
enum SessionFuzz {
    static func check(_ input: [UInt8]) throws {
        var run = SessionRun(input)
        try run.drive()
    }
}

/// One input's session.
struct SessionRun {
    var reader: InputReader
    var core: SessionCore
    var oracle: WireOracle
    var now = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
    /// Streams that the owner knows of and has not let go.
    var keys: [StreamKey] = []
    /// Those of them that are over.
    private var closed: Set<StreamKey> = []
    /// Those that the owner ended itself: it is not told of their end.
    var abandoned: Set<StreamKey> = []
    /// The messages that the core has numbered, oldest first.
    var numbered: [ByteBuffer] = []
    /// How much of each stream was written and read.
    var written: [StreamKey: UInt64] = [:]
    var read: [StreamKey: UInt64] = [:]
    /// The number that a stream had while it was on the wire.
    private var numbers: [StreamKey: StreamID] = [:]
    private var isEnded = false
    private var fedBytes = 0

    /// An input drives at most so many steps and feeds at most so many bytes, so that none is slow by design.
    private static let steps = 600
    private static let bytes = 2 << 20

    init(_ input: [UInt8]) {
        var reader = InputReader(input)
        let choice = reader.byte()
        let governor = MemoryGovernor(budget: choice & 2 == 0 ? 1 << 30 : 64 << 10)
        var configuration = SessionConfiguration(role: choice & 1 == 0 ? .connector : .edge, governor: governor)
        configuration.settings.maximumStreams = choice & 4 == 0 ? 6 : 1
        configuration.settings.initialWindow = choice & 8 == 0 ? 16_384 : 65_536
        configuration.settings.connectionWindow = 262_144
        configuration.budget = 4 << 20
        configuration.maximumWaitingOpens = 8
        if choice & 0x80 != 0 { configuration.fixedWindow = 65_536 }
        var peer = SessionSettings()
        let isResumable = choice & 32 != 0
        if isResumable { Self.makeResumable(&configuration, &peer) }
        peer.maximumStreams = choice & 16 == 0 ? 4 : 0
        peer.initialWindow = choice & 32 == 0 ? 16_384 : 1 << 20
        peer.connectionWindow = 262_144
        self.reader = reader
        self.core = SessionCore(configuration: configuration, seed: UInt64(choice), now: self.now)
        // Near the end of the number space a session gives way to another.
        if choice & 64 != 0 { self.core.openedCount = 0x5FFF_FFFD }
        self.oracle = WireOracle(
            role: configuration.role,
            own: configuration.settings,
            peer: peer,
            opened: self.core.openedCount,
            isResumable: isResumable
        )
        self.core.receive(
            FrameFuzz.encode(
                [
                    .hello(
                        HelloFrame(
                            role: configuration.role.peer,
                            capabilities: isResumable ? .resume : [],
                            settings: peer
                        )
                    )
                ]
            ),
            now: self.now
        )
        if choice & 64 != 0 { self.feed(FrameFuzz.encode([.maximumStreams(.max)])) }
    }

    mutating func drive() throws {
        try self.settle()
        for _ in 0..<Self.steps where !self.reader.isAtEnd {
            switch self.reader.number(below: 32) {
            case 0..<10:
                let count = 1 + self.reader.number(below: 4)
                let frames = (0..<count).map { _ in self.frame() }
                self.feed(FrameFuzz.encode(frames))
            case 10..<14: try self.poll()
            case 14: self.tick()
            case 15:
                let count = Int(self.reader.integer(UInt16.self) & 0x3FFF)
                self.feed(ByteBuffer(bytes: self.reader.take(count)))
            case 16: self.answerPings()
            case 17: self.core.compactUnread()
            case 18: try self.endLocally()
            default: try self.act()
            }
            try self.settle()
        }
        try self.finish()
    }

    // MARK: Messages

    private mutating func feed(_ message: ByteBuffer) {
        // Without a connection nothing comes.
        guard self.core.suspension == nil else { return }
        self.fedBytes += message.readableBytes
        guard self.fedBytes <= Self.bytes else { return }
        if self.core.phase != .closing, self.core.phase != .closed { self.oracle.feed(message) }
        self.core.receive(message, now: self.now)
    }

    private mutating func answerPings() {
        guard !self.oracle.pings.isEmpty else { return }
        self.feed(FrameFuzz.encode(self.oracle.pings.map { .pong($0) }))
    }

    private mutating func poll() throws {
        var message = ByteBuffer()
        let limit = self.reader.element(of: [16_376, 16_380, 1_024, 4_096, 65_528])
        guard self.core.poll(into: &message, limit: limit, now: self.now) else {
            return try Finding.unless(message.readableBytes == 0, "poll wrote and said that it did not")
        }
        try Finding.unless(message.readableBytes > 0, "poll says that it wrote, and did not")
        try Finding.unless(self.core.suspension == nil, "a session without a connection speaks")
        if self.core.replay.sent > self.numbered.count { self.numbered.append(message) }
        self.core.keep(message)
        self.noteNumbers()
        try self.oracle.judge(message, limit: limit)
    }

    private mutating func tick() {
        let jumps: [TimeAmount] = [
            .zero, .milliseconds(1), .milliseconds(100), .seconds(1), .seconds(3), .seconds(9), .seconds(31),
            .minutes(3), .hours(1_000), .nanoseconds(1),
        ]
        self.now = self.now + self.reader.element(of: jumps)
        if self.reader.number(below: 2) == 0 { self.core.receivedBytes(now: self.now) }
        self.core.tick(now: self.now)
        _ = self.core.nextTick(now: self.now)
    }

    private mutating func endLocally() throws {
        switch self.reader.number(below: 16) {
        case 0: self.core.close(code: .internalError, reason: "closed by the fuzzer")
        case 1: self.core.connectionLost(reason: "lost by the fuzzer")
        case 2: self.core.transportFailed(ProtocolViolation(.frameSizeError, "failed by the fuzzer"))
        case 8..<14: try self.cutOrReturn()
        case 3..<8:
            self.core.startDrain(
                code: .shutdown,
                gracePeriod: .seconds(Int64(self.reader.byte())),
                reconnectAfter: .milliseconds(250),
                now: self.now
            )
        default: break
        }
    }

    // MARK: Checking

    private mutating func settle() throws {
        self.noteNumbers()
        while let event = self.core.nextEvent() { try self.take(event) }
        try SessionInvariants.check(self.core)
    }

    private mutating func noteNumbers() {
        for key in self.keys where self.numbers[key] == nil {
            guard let slot = self.core.streams.slot(of: key), self.core.streams[slot].id != .session else { continue }
            self.numbers[key] = self.core.streams[slot].id
        }
    }

    private mutating func take(_ event: SessionEvent) throws {
        switch event {
        case .active, .draining: break
        case .suspended:
            try Finding.unless(self.core.isResumable, "\(event) in a session that can't be resumed")
        case .unresponsive(let reason):
            try Finding.unless(self.core.isResumable, "\(event) in a session that can't be resumed")
            guard !self.core.suspend(reason: reason, now: self.now) else { return }
            self.core.transportFailed(ProtocolViolation(.keepaliveTimeout, reason))
        case .opened(let key, _):
            try Finding.unless(!self.keys.contains(key), "a stream is opened twice")
            self.keys.append(key)
            self.noteNumbers()
        case .accepted(let key), .readable(let key), .writable(let key), .stopped(let key, _):
            // Events may still be queued for a stream that the owner has let go meanwhile.
            try Finding.unless(!self.closed.contains(key), "\(event) after the stream was closed")
        case .closed(let key, _):
            guard self.keys.contains(key) else { return }
            try Finding.unless(self.closed.insert(key).inserted, "a stream is closed twice")
        case .ended:
            try Finding.unless(!self.isEnded, "the session ends twice")
            self.isEnded = true
        }
    }

    /// Compares what was read with what the peer sent.
    mutating func readOnce(_ key: StreamKey) throws {
        guard case .bytes(let bytes) = self.core.read(key, now: self.now) else { return }
        let offset = self.read[key] ?? 0
        let count = bytes.readableBytes
        self.read[key] = offset + UInt64(count)
        guard let id = self.numbers[key], let fed = self.oracle.fed[id] else {
            throw Finding("I3: \(count) bytes of a stream on which nothing was sent")
        }
        try Finding.unless(
            fed.getSlice(at: fed.readerIndex + Int(offset), length: count) == bytes,
            "I3: stream \(id) gives other bytes than were sent, from offset \(offset)"
        )
    }

    /// The owner lets go.
    mutating func release(_ key: StreamKey) {
        self.keys.removeAll { $0 == key }
        self.core.release(key)
    }

    private mutating func finish() throws {
        if self.reader.number(below: 2) == 0 { self.core.close(code: .shutdown, reason: "") }
        self.core.connectionLost(reason: "the input is over")
        try self.settle()
        try Finding.unless(self.isEnded, "the session has not ended")
        for key in self.keys {
            try Finding.unless(
                self.closed.contains(key) || self.abandoned.contains(key) || self.core.isReadable(key),
                "a stream outlives its session and has nothing to read"
            )
            while self.core.isReadable(key) { try self.readOnce(key) }
        }
        for key in self.keys { self.release(key) }
        try self.settle()
        try SessionInvariants.checkOver(self.core)
    }
}
