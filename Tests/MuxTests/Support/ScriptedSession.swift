// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

@testable import Mux

/// One session core whose peer is the test: it receives the frames the test writes and shows those it sends.
///
/// The core is a connector, so its own streams are odd and those of the peer even, unless a test says otherwise.
struct ScriptedSession {
    var core: SessionCore
    private(set) var now: NIODeadline
    /// What happened, oldest first, since the last look.
    private var seen: [SessionEvent] = []
    /// How the session ended, once it has.
    private(set) var end: SessionEnd?

    /// The round trip that the first PING measures.
    static let roundTrip = TimeAmount.milliseconds(20)

    /// Makes a session that has exchanged HELLO, measured its round trip and has nothing left to send.
    init(
        role: SessionRole = .connector,
        configure: (inout SessionConfiguration) -> Void = { _ in },
        peer: (inout SessionSettings) -> Void = { $0.maximumStreams = 100 }
    ) {
        var settings = SessionSettings()
        peer(&settings)
        self.init(unconnected: role, configure: configure)
        _ = self.output()
        self.receive(.hello(HelloFrame(role: role.peer, settings: settings)))
        let ping = self.output().compactMap(\.pingNumber).first
        self.advance(by: Self.roundTrip)
        if let ping { self.receive(.pong(ping)) }
        _ = self.takeEvents()
    }

    /// Makes a session that has not sent or received anything.
    init(unconnected role: SessionRole, configure: (inout SessionConfiguration) -> Void = { _ in }) {
        var configuration = SessionConfiguration(role: role)
        configure(&configuration)
        self.now = .uptimeNanoseconds(1_000_000_000_000)
        self.core = SessionCore(configuration: configuration, seed: 42, now: self.now)
    }

    // MARK: Time

    /// Moves the clock without telling the core.
    mutating func advance(by amount: TimeAmount) {
        self.now = self.now + amount
    }

    /// Moves the clock and lets the core see it once.
    mutating func tick(after amount: TimeAmount = .zero) {
        self.now = self.now + amount
        self.core.tick(now: self.now)
        self.collect()
    }

    // MARK: Frames

    /// The peer sends frames in one message.
    mutating func receive(_ frames: Frame...) {
        self.receive(frames)
    }

    mutating func receive(_ frames: [Frame]) {
        var message = ByteBuffer()
        for frame in frames { FrameEncoder.encode(frame, into: &message) }
        self.receive(message: message)
    }

    mutating func receive(message: ByteBuffer) {
        self.core.receive(message, now: self.now)
        self.collect()
    }

    /// All that the core has to send, without grease.
    mutating func output() -> [Frame] {
        self.messages().flatMap { message in
            var decoder = FrameDecoder(message: message)
            var frames: [Frame] = []
            while let frame = try? decoder.next() { frames.append(frame) }
            return frames.filter { !$0.isExtension }
        }
    }

    /// All that the core has to send, message by message.
    mutating func messages(limit: Int = 16_376) -> [ByteBuffer] {
        var messages: [ByteBuffer] = []
        var message = ByteBuffer()
        while self.core.pollIfDue(into: &message, limit: limit, now: self.now) {
            messages.append(message)
            message = ByteBuffer()
        }
        self.collect()
        return messages
    }

    /// Answers every PING that the core sends from now on until it sends none; gives all it sent.
    @discardableResult
    mutating func settle() -> [Frame] {
        var all: [Frame] = []
        while true {
            let frames = self.output()
            all += frames
            let pings = frames.compactMap(\.pingNumber)
            guard !pings.isEmpty else { return all }
            self.receive(pings.map { .pong($0) })
        }
    }

    // MARK: Events

    mutating func collect() {
        while let event = self.core.nextEvent() {
            if case .ended(let end) = event { self.end = end }
            self.seen.append(event)
        }
    }

    /// What happened since the last look, in words.
    mutating func takeEvents() -> [String] {
        self.collect()
        defer { self.seen.removeAll() }
        return self.seen.map(\.words)
    }

    /// What happened since the last look.
    mutating func takeRawEvents() -> [SessionEvent] {
        self.collect()
        defer { self.seen.removeAll() }
        return self.seen
    }

    /// The code that ended the session, if anything did.
    var endCode: ErrorCode? { self.end?.code }
}

extension SessionEvent {
    /// The event in a few words that tests compare.
    var words: String {
        switch self {
        case .active: "active"
        case .opened: "opened"
        case .accepted: "accepted"
        case .readable: "readable"
        case .writable: "writable"
        case .stopped(_, let code): "stopped \(code)"
        case .closed(_, nil): "closed"
        case .closed(_, let error?): "closed \(error.code) \(error.origin)\(error.isRetrySafe ? " retry-safe" : "")"
        case .draining(let code, _, _): "draining \(code)"
        case .suspended: "suspended"
        case .unresponsive: "unresponsive"
        case .ended(let end): "ended \(end.code)\(end.isByPeer ? " by peer" : "")"
        }
    }
}

extension Frame {
    var pingNumber: UInt64? {
        if case .ping(let number) = self { number } else { nil }
    }

    var isExtension: Bool {
        if case .extension = self { true } else { false }
    }

    /// An OPEN that asks for little.
    static func opening(
        _ id: StreamID,
        kind: StreamKind = .http,
        window: UInt32 = 65_536,
        deadline: UInt32 = 10_000
    ) -> Frame {
        .open(
            id,
            OpenFrame(kind: kind, window: window, deadlineMilliseconds: deadline, metadata: OpenMetadata(target: "web"))
        )
    }

    static func bytes(_ id: StreamID, _ count: Int, isLast: Bool = false) -> Frame {
        .data(id, ByteBuffer(repeating: 0x61, count: count), isLast: isLast)
    }
}

extension StreamID: ExpressibleByIntegerLiteral {
    /// Takes a literal as it stands in a frame header.
    public init(integerLiteral value: UInt32) {
        self.init(rawValue: value)
    }
}
