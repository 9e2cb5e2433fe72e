// SPDX-License-Identifier: Apache-2.0
import DequeModule
import NIOCore
import Protocol

/// One side of a session: many flow-controlled streams over one ordered connection, without any I/O.
///
/// Bytes go in by ``receive(_:now:)``, come out by ``poll(into:limit:now:)``, and what happened is told by
/// ``nextEvent()``; the clock is passed in. ``SessionHandler`` does this for a NIO channel.
///
/// ```swift
/// var core = SessionCore(configuration: SessionConfiguration(role: .edge), now: .now())
/// var message = ByteBuffer()
/// while core.poll(into: &message, limit: 16_384, now: .now()) {
///     // send the message, then
///     message.clear()
/// }
/// ```
public struct SessionCore {
    /// What this side brings along.
    public let configuration: SessionConfiguration
    /// What the peer's HELLO said.
    public internal(set) var peer: SessionSettings?
    /// What both sides can do beyond the minimum; nothing before the peer's HELLO came.
    public internal(set) var capabilities: Capabilities = []
    /// The most payload that a DATA frame carries now, in bytes.
    var dataChunk = WireFormat.dataChunk

    /// How far the session is in its life, and what is known of its end.
    var life = SessionLife.helloWait
    var events: Deque<SessionEvent> = []
    var streams = StreamTable()
    var scheduler = DeficitRoundRobin()
    /// Streams with control frames that are due, oldest first.
    var controlQueue: Deque<StreamKey> = []
    /// Opens that wait until the peer allows another stream, oldest first.
    var waitingOpens: Deque<(key: StreamKey, frame: OpenFrame)> = []
    /// Keeps below what a peer lets itself be asked a second (§B.12): what is opened faster waits rather than be refused.
    var openPace: TokenBucket

    // Numbers.
    var openedCount: UInt32 = 0
    var peerStreamLimit: UInt32 = 0
    /// How many streams the peer may open.
    var allowance: StreamAllowance
    /// How many own streams have a record that is live or a zombie.
    var liveCount = 0
    /// How many of these carry no bytes.
    var silentCount = 0

    // Credit.
    var credit: ConnectionCredit
    var budget: WindowBudget
    var bufferedBytes = 0
    var reportedBytes = 0
    /// Streams that were given bytes since ``compactUnread()``.
    var unread: [StreamKey] = []
    var criticalSince: NIODeadline?

    // Session control output: flags, not a queue (§B.8.1).
    var isHelloDue = true
    var pongs: [UInt64] = []
    var isGreaseDue = true
    var goAwayDue: GoAwayFrame?

    // Liveness.
    let started: NIODeadline
    var liveness: SessionLiveness
    var barrier = ResetBarrier()
    /// How often a stream had something to send and no credit for it.
    public internal(set) var stallCount: UInt64 = 0
    var conduct: PeerConduct
    /// How soon the clock is to be looked at, while something is under way that is measured in less than keepalive
    /// intervals.
    var attention: TimeAmount? = Self.tickInterval

    var random: SplitMix

    // Return (§B.19).
    /// What has been sent and not acknowledged.
    var replay = ReplayBuffer()
    /// What has been received.
    var received = ReceivedCount()
    /// Whether the session outlives its connection: both sides can, and the edge keeps sessions at all.
    public internal(set) var isResumable = false
    /// How long it is kept without one.
    var resumeWindow = TimeAmount.zero
    /// Since when the session has no connection, if it has none.
    public internal(set) var suspension: Suspension?
    /// At the edge: what the latest HELLO gave the connector to come back with.
    var resumeKey: ResumeKey?
    /// The one before, until the connector has shown that it has the latest.
    var previousKey: ResumeKey?

    /// Makes one side of a session that has just been connected.
    ///
    /// - Parameters:
    ///   - configuration: What this side brings along.
    ///   - seed: Where PING numbers, jitter and grease come from.
    ///   - now: The time.
    public init(configuration: SessionConfiguration, seed: UInt64 = .random(in: .min ... .max), now: NIODeadline) {
        self.configuration = configuration
        let settings = configuration.settings
        self.resumeKey = settings.resumeKey
        self.allowance = StreamAllowance(concurrency: settings.maximumStreams)
        self.credit = ConnectionCredit(window: Int(settings.connectionWindow))
        let reserved = Int(settings.maximumStreams) * Int(settings.initialWindow)
        self.budget = WindowBudget(
            total: max(configuration.budget, reserved + Self.ownBudget),
            reserved: reserved
        )
        self.started = now
        self.random = SplitMix(seed: seed)
        self.liveness = SessionLiveness(
            idleTimeout: .milliseconds(Int64(settings.idleTimeoutMilliseconds)),
            firstPing: self.random.next(),
            now: now
        )
        let opens = configuration.opensPerSecond
        self.conduct = PeerConduct(opensPerSecond: opens, now: now)
        // A little less than the peer lets pass, whose clock and whose view of the opens are not ours.
        self.openPace = TokenBucket(rate: opens * 0.95, burst: opens * 1.75, now: now)
        configuration.governor.sessionStarted()
    }

    /// The session never was: its connection belongs to another one.
    mutating func abandon() {
        guard self.life.ended(SessionEnd(code: .noError, reason: "", isByPeer: false)) else { return }
        self.life.connectionLost()
        self.configuration.governor.sessionEnded()
    }

    /// What a budget leaves at least for streams that this side opens, in bytes.
    private static let ownBudget = 1 << 20

    /// The next thing that happened, oldest first.
    public mutating func nextEvent() -> SessionEvent? {
        self.events.popFirst()
    }

    /// Whether ``nextEvent()`` has one.
    var hasEvents: Bool { !self.events.isEmpty }

    // MARK: State

    var role: SessionRole { self.configuration.role }
    var level: MemoryLevel { self.configuration.governor.level }

    /// How far the session is in its life.
    public var phase: SessionPhase { self.life.phase }

    /// When the latest answer to a PING came: the peer's program was alive then, not only its kernel.
    public var lastEcho: NIODeadline? { self.liveness.lastEcho }

    /// The least round-trip time of late.
    public var minimumRoundTrip: TimeAmount? { self.liveness.roundTrip.minimum }

    /// The smoothed round-trip time.
    public var smoothedRoundTrip: TimeAmount? { self.liveness.roundTrip.smoothed }

    /// Streams with state on the wire, those that wait for the peer to allow them included.
    public var activeStreamCount: Int { self.liveCount + self.waitingOpens.count }

    /// Whether nothing has come for so long that new streams are better opened elsewhere (docs/protocol.md §B.9.2).
    public var isSuspect: Bool { self.liveness.isSuspect || self.suspension != nil }

    /// Whether the peer has been suspect for its silence, and not only because it was asked whether it is there.
    public var isSilent: Bool { self.liveness.isSilent && self.suspension == nil }

    /// What the session's streams hold in memory for their consumers, in bytes.
    public var bufferedByteCount: Int { self.bufferedBytes }

    /// What the windows of live streams may pin, in bytes (docs/protocol.md §B.7.3).
    public var committedByteCount: Int { self.budget.reserved + self.budget.committed }

    /// How often the peer has passed each limit (docs/protocol.md §B.12); most of them end the session.
    public internal(set) var limitHits: [PeerLimit: Int] = [:]

    /// How many oddities of the peer were let pass.
    public var glitchCount: Int { self.conduct.glitchCount }

    /// Whether a stream can be opened; it may have to wait until the peer allows another.
    public var canOpenStreams: Bool {
        self.life.isRunning && !self.life.isPeerLeaving
            && self.waitingOpens.count < self.configuration.maximumWaitingOpens
    }

    /// Whether an own stream could be opened without waiting: the peer allows one, and the budget has room for its window.
    public var opensWithoutWaiting: Bool { self.windowToOpen(kind: .http) != nil }

    /// The window of the next own stream, in bytes, if it can be opened now.
    func windowToOpen(kind: StreamKind) -> Int? {
        guard self.openedCount < self.peerStreamLimit else { return nil }
        guard !kind.isSilent else { return 0 }
        return self.configuration.fixedWindow ?? self.budget.initialWindow(level: self.level)
    }

    /// Whether the stream of this number is opened by this side.
    func isOwn(_ id: StreamID) -> Bool { id.isOpenedByEdge == (self.role == .edge) }

    /// The number of the n-th stream of a side.
    static func streamID(ordinal: UInt32, role: SessionRole) -> StreamID {
        StreamID(rawValue: role == .edge ? 2 &* ordinal : 2 &* ordinal &- 1)
    }

    /// The first byte of a received message counts even if the rest never comes (§B.9.1).
    public mutating func receivedBytes(now: NIODeadline) {
        self.liveness.received(now: now)
    }
}

/// A small generator of random numbers, seeded so that tests can repeat what they saw.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        self.state = seed
    }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
