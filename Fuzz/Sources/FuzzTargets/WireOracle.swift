// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

/// What a peer knows of a session from its frames alone: it judges what the core sends by the rules of the protocol.
struct WireOracle {
    /// The role of the core.
    let role: SessionRole
    private let settings: SessionSettings
    private let isResumable: Bool
    /// How many messages were sent to the core since HELLO, and how many it has acknowledged.
    private var fedMessages: UInt64 = 0
    private var acknowledged: UInt64 = 0

    /// PINGs of the core that have not been answered.
    private(set) var pings: [UInt64] = []
    /// What was sent to the core on each stream.
    private(set) var fed: [StreamID: ByteBuffer] = [:]
    /// How far the core may send, by stream; under ``StreamID/session`` on all together.
    private(set) var credit: [StreamID: UInt64]
    /// How many streams the core may open.
    private var streamLimit: UInt32
    private(set) var opened: UInt32
    private var peerOpened: UInt32 = 0
    private var isGoAwayFed = false
    private var pongsDue: [UInt64] = []

    private var sent: [StreamID: UInt64] = [:]
    private var granted: [StreamID: UInt64] = [:]
    private var streamsGranted: UInt32
    private var answered: Set<StreamID> = []
    private var finished: Set<StreamID> = []
    private var endedStreams: Set<StreamID> = []
    private var isHelloSent = false

    /// - Parameters:
    ///   - role: The role of the core.
    ///   - own: The settings of the core.
    ///   - peer: The settings that it was told.
    ///   - opened: How many streams the core is taken to have opened.
    ///   - isResumable: Whether the session outlives its connection.
    init(role: SessionRole, own: SessionSettings, peer: SessionSettings, opened: UInt32, isResumable: Bool) {
        self.opened = opened
        self.isResumable = isResumable
        self.role = role
        self.settings = peer
        self.streamLimit = peer.maximumStreams
        self.streamsGranted = own.maximumStreams
        self.credit = [.session: UInt64(peer.connectionWindow)]
    }

    private func isOwn(_ id: StreamID) -> Bool { id.isOpenedByEdge == (self.role == .edge) }

    private func credit(of id: StreamID) -> UInt64 {
        self.credit[id] ?? (self.isOwn(id) ? UInt64(self.settings.initialWindow) : 0)
    }

    // MARK: What the core is fed

    /// Notes a message that the core is about to receive; what follows a violation in it does not count.
    mutating func feed(_ message: ByteBuffer) {
        self.fedMessages += 1
        var decoder = FrameDecoder(message: message)
        while let frame = try? decoder.next() {
            switch frame {
            case .open(let id, let open):
                self.peerOpened = max(self.peerOpened, id.ordinal)
                if self.credit[id] == nil { self.credit[id] = UInt64(open.window) }
            case .data(let id, let payload, _): self.fed[id, default: ByteBuffer()].writeImmutableBuffer(payload)
            case .windowUpdate(let id, let offset): self.credit[id] = max(self.credit(of: id), offset)
            case .maximumStreams(let count): self.streamLimit = max(self.streamLimit, count)
            case .ping(let number): self.pongsDue.append(number)
            case .pong(let number): self.pings.removeAll { $0 == number }
            case .goAway: self.isGoAwayFed = true
            default: break
            }
        }
    }

    // MARK: What the core sends

    /// - Throws: ``Finding`` for a message that breaks a rule.
    mutating func judge(_ message: ByteBuffer, limit: Int) throws {
        let frames: [Frame]
        do {
            frames = try FrameFuzz.decode(message)
        } catch {
            throw Finding("I9: a message of the core is refused: \(error)")
        }
        try Finding.unless(
            frames.count == 1 || message.readableBytes <= limit,
            "I9: \(frames.count) frames in \(message.readableBytes) bytes where \(limit) are allowed"
        )
        for frame in frames { try self.judge(frame) }
    }

    private mutating func judge(_ frame: Frame) throws {
        switch frame {
        case .hello:
            try Finding.unless(!self.isHelloSent, "a second HELLO")
            self.isHelloSent = true
        case .ping(let number):
            self.pings.append(number)
            try Finding.unless(self.pings.count <= 8, "\(self.pings.count) PINGs without an answer")
        case .pong(let number):
            guard let index = self.pongsDue.firstIndex(of: number) else { throw Finding("PONG to no PING") }
            self.pongsDue.remove(at: index)
        case .maximumStreams(let count):
            try Finding.unless(count > self.streamsGranted, "I2: MAX_STREAMS does not rise")
            self.streamsGranted = count
        case .windowUpdate(let id, let offset):
            try Finding.unless(offset >= self.granted[id] ?? 0, "I2: credit of stream \(id) falls")
            self.granted[id] = offset
            if id != .session { try self.judgeAnswered(id, "WINDOW_UPDATE") }
        case .blocked(let id, let offset):
            try Finding.unless(offset == self.credit(of: id), "BLOCKED of stream \(id) not at its limit")
            if id != .session { try self.judgeAnswered(id, "BLOCKED") }
        case .open(let id, _):
            self.opened += 1
            try Finding.unless(self.isOwn(id) && id.ordinal == self.opened, "I9: OPEN of \(id) is not the next")
            try Finding.unless(self.opened <= self.streamLimit, "OPEN of \(id) without a slot")
            try Finding.unless(!self.isGoAwayFed, "OPEN after the peer's GOAWAY")
        case .openAck(let id, _):
            try self.judgeKnown(id, "OPEN_ACK")
            try Finding.unless(!self.isOwn(id) && self.answered.insert(id).inserted, "OPEN_ACK of \(id) is misplaced")
        case .reject(let id, _, _):
            try self.judgeKnown(id, "REJECT")
            try Finding.unless(!self.isOwn(id) && !self.answered.contains(id), "REJECT of \(id) is misplaced")
            self.endedStreams.insert(id)
        case .reset(let id, _, _):
            try self.judgeKnown(id, "RESET")
            self.endedStreams.insert(id)
        case .stopSending(let id, _): try self.judgeAnswered(id, "STOP_SENDING")
        case .data(let id, let payload, let isLast): try self.judgeData(id, payload, isLast)
        case .acknowledge(let count):
            try Finding.unless(self.isResumable, "ACK in a session that can't be resumed")
            try Finding.unless(count <= self.fedMessages, "ACK of \(count) messages where \(self.fedMessages) came")
            try Finding.unless(count >= self.acknowledged, "ACK of \(count) messages after one of \(self.acknowledged)")
            self.acknowledged = count
        case .goAway, .extension: break
        }
    }

    private mutating func judgeData(_ id: StreamID, _ payload: ByteBuffer, _ isLast: Bool) throws {
        try self.judgeAnswered(id, "DATA")
        try Finding.unless(!self.finished.contains(id), "DATA of stream \(id) after its FIN")
        let offset = self.sent[id] ?? 0
        try Finding.unless(payload == Pattern.bytes(at: offset, payload.readableBytes), "I3: stream \(id) is corrupt")
        self.sent[id] = offset + UInt64(payload.readableBytes)
        self.sent[.session, default: 0] += UInt64(payload.readableBytes)
        for place in [id, .session] {
            try Finding.unless(self.sent[place] ?? 0 <= self.credit(of: place), "I1: DATA of \(id) beyond \(place)")
        }
        if isLast { self.finished.insert(id) }
    }

    /// The stream was opened, and nothing ended it.
    private func judgeKnown(_ id: StreamID, _ name: String) throws {
        let known = self.isOwn(id) ? self.opened : self.peerOpened
        try Finding.unless(id != .session && id.ordinal <= known, "I9: \(name) of stream \(id) before its OPEN")
        try Finding.unless(!self.endedStreams.contains(id), "\(name) of stream \(id) after its RESET or REJECT")
    }

    /// An acceptor says nothing on a stream before OPEN_ACK but REJECT or RESET (§B.4.2).
    private func judgeAnswered(_ id: StreamID, _ name: String) throws {
        try self.judgeKnown(id, name)
        try Finding.unless(self.isOwn(id) || self.answered.contains(id), "\(name) of stream \(id) before OPEN_ACK")
    }
}

/// The bytes of every stream are the same function of their offset, so that loss and disorder show.
enum Pattern {
    static let period: UInt64 = 65_521
    private static let buffer = ByteBuffer(
        bytes: (0..<2 * Int(period)).map { place in
            let offset = place % Int(period)
            return UInt8(truncatingIfNeeded: offset &* 31 &+ offset >> 8)
        }
    )

    /// - Parameter count: At most 65 521.
    static func bytes(at offset: UInt64, _ count: Int) -> ByteBuffer {
        self.buffer.getSlice(at: Int(offset % self.period), length: count) ?? ByteBuffer()
    }
}
