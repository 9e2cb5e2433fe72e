// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

/// Whether the peer is there and how far away it is: silences, PINGs and their answers (docs/protocol.md §B.9.1 to §B.9.3).
struct SessionLiveness {
    /// This side's PINGs.
    var pings: Pings
    /// What their answers show.
    private(set) var roundTrip: RoundTripTime
    /// When the latest byte came.
    private(set) var lastReceived: NIODeadline
    /// When the latest answer to a PING came: the peer's program was alive then, not only its kernel.
    private(set) var lastEcho: NIODeadline?
    /// After how much silence a PING goes out.
    private(set) var keepaliveInterval: TimeAmount
    /// Since when the peer is suspect, if it is.
    private(set) var suspectedSince: NIODeadline?
    /// Whether a PING has stayed unanswered for so long that what is under way is better sent elsewhere.
    private(set) var isSilent = false
    /// When the session ends unless the peer has said something, after it was asked whether it is there.
    private var givesUpAt: NIODeadline?
    /// DATA that moved since the last PING that measured the round trip, in bytes.
    private var bytesSinceSample = 0
    /// After how much silence the session ends.
    private let idleTimeout: TimeAmount

    /// DATA that makes another measurement of the round trip worth a PING, in bytes.
    private static let bytesPerSample = 65_536
    /// After so much silence the edge asks when it opens a stream.
    private static let silenceBeforeOpen = TimeAmount.seconds(5)
    /// How soon the clock is to be looked at while a PING or an answer is awaited.
    static let attention = TimeAmount.milliseconds(100)

    /// - Parameters:
    ///   - idleTimeout: After how much silence the session ends.
    ///   - firstPing: The number before that of the first PING.
    ///   - now: The time.
    init(idleTimeout: TimeAmount, firstPing: UInt64, now: NIODeadline) {
        self.idleTimeout = idleTimeout
        self.keepaliveInterval = .nanoseconds(idleTimeout.nanoseconds / 1_000_000 / 3 * 1_000_000)
        self.lastReceived = now
        self.pings = Pings(firstNumber: firstPing, now: now)
        self.roundTrip = RoundTripTime(now: now)
    }

    /// Whether the peer has been silent for so long that new streams are better opened elsewhere.
    var isSuspect: Bool { self.suspectedSince != nil }

    /// When the next PING is due if nothing comes.
    var keepaliveDue: NIODeadline { self.lastReceived + self.keepaliveInterval }

    /// How long a PING may stay unanswered before the peer is suspected (§B.9.2).
    private var patience: TimeAmount {
        let smoothed = self.roundTrip.smoothed ?? .seconds(1)
        return max(.seconds(2), min(smoothed * 3 + .seconds(1), .seconds(6)))
    }

    // MARK: Events

    /// The peer's HELLO came.
    ///
    /// - Parameter keepaliveInterval: After how much silence a PING goes out from now on.
    mutating func start(keepaliveInterval: TimeAmount) {
        self.keepaliveInterval = keepaliveInterval
        self.pings.want()
    }

    /// Anything came.
    mutating func received(now: NIODeadline) {
        self.lastReceived = now
        self.suspectedSince = nil
        self.isSilent = false
        self.givesUpAt = nil
    }

    /// Counts DATA that was sent or received.
    ///
    /// - Returns: Whether so much has moved that the clock is to be looked at, for another measurement.
    mutating func moved(_ count: Int) -> Bool {
        let wasEnough = self.bytesSinceSample >= Self.bytesPerSample
        self.bytesSinceSample += count
        return !wasEnough && self.bytesSinceSample >= Self.bytesPerSample
    }

    /// What a PONG shows; `nil` if it answers no PING.
    mutating func receivedPong(_ number: UInt64, now: NIODeadline) -> Pings.Answer? {
        let answer = self.pings.answered(number, now: now)
        if case .roundTrip(let sample) = answer { self.addSample(sample, now: now) }
        if answer != nil { self.lastEcho = now }
        return answer
    }

    /// Whether anything has come within the idle time-out, and no answer is overdue.
    func hasBytes(now: NIODeadline) -> Bool {
        now - self.lastReceived < self.idleTimeout && self.givesUpAt.map { now < $0 } ?? true
    }

    /// Another connection goes on, of whose path nothing is known.
    mutating func resumed(now: NIODeadline) {
        self.received(now: now)
        self.roundTrip.pathChanged(now: now)
        self.pings.resumed(now: now)
    }

    mutating func addSample(_ roundTrip: TimeAmount, now: NIODeadline) {
        self.roundTrip.add(roundTrip, now: now)
    }

    /// A stream is opened: after a silence the peer is asked at once whether it is there.
    mutating func opening(now: NIODeadline) {
        guard now - self.lastReceived > Self.silenceBeforeOpen else { return }
        self.requestEcho()
    }

    /// Asks for a PONG, unless one is awaited.
    mutating func requestEcho() {
        if !self.pings.hasUnanswered { self.pings.want() }
    }

    /// Asks at once, and suspects the peer until it says anything.
    ///
    /// - Parameters:
    ///   - givingUp: Whether the connection is given up if the peer stays silent for as long as suspicion takes.
    ///   - isResumable: Whether another one costs so little that half a second to two is enough.
    ///   - now: The time.
    mutating func probe(givingUp: Bool, isResumable: Bool = false, now: NIODeadline) {
        self.pings.want()
        if givingUp, self.givesUpAt == nil {
            let smoothed = self.roundTrip.smoothed ?? .milliseconds(250)
            let short = max(.milliseconds(500), min(smoothed * 3 + .milliseconds(250), .seconds(2)))
            self.givesUpAt = now + (isResumable ? short : self.patience)
        }
        if self.suspectedSince == nil { self.suspectedSince = now }
    }

    /// Looks at the clock.
    ///
    /// - Parameters:
    ///   - barrierSince: Since when the oldest reset stream waits for the answer to the PING behind its RESET.
    ///   - now: The time.
    /// - Returns: How soon the clock is to be looked at again, if sooner than the keepalive is due.
    /// - Throws: KEEPALIVE_TIMEOUT when the peer has been silent for too long.
    mutating func tick(barrierSince: NIODeadline?, now: NIODeadline) throws(ProtocolViolation) -> TimeAmount? {
        let silence = now - self.lastReceived
        guard silence < self.idleTimeout else {
            throw ProtocolViolation(.keepaliveTimeout, "nothing received for \(silence.wholeSeconds) s")
        }
        var attention: TimeAmount?
        if let givesUpAt {
            guard now < givesUpAt else {
                throw ProtocolViolation(.keepaliveTimeout, "no answer when it was asked whether it is there")
            }
            attention = Self.attention
        }
        if silence >= self.keepaliveInterval {
            self.requestEcho()
            attention = Self.attention
        }
        if let rest = self.sample(now: now) { attention = min(attention ?? rest, rest) }
        // A peer that goes on sending but never answers would make this side remember reset streams for good.
        if let barrierSince, now - barrierSince >= self.idleTimeout * 2 {
            throw ProtocolViolation(.keepaliveTimeout, "no PONG for \((now - barrierSince).wholeSeconds) s")
        }
        if let oldest = self.pings.oldestUnanswered {
            attention = min(attention ?? Self.attention, Self.attention)
            if !self.isSilent, self.lastReceived < oldest, now - oldest > self.patience {
                self.isSilent = true
                if self.suspectedSince == nil { self.suspectedSince = now }
            }
        }
        return attention
    }

    /// Wants one PING a second while so much flows that windows may have to follow the round trip.
    ///
    /// - Returns: How long the next one has to wait, if it has to.
    private mutating func sample(now: NIODeadline) -> TimeAmount? {
        guard self.bytesSinceSample >= Self.bytesPerSample, !self.pings.hasUnanswered else { return nil }
        if let lastSent = self.pings.lastSent, now - lastSent < .seconds(1) { return .seconds(1) - (now - lastSent) }
        self.bytesSinceSample = 0
        self.pings.want()
        return nil
    }
}

extension TimeAmount {
    /// For messages.
    var wholeSeconds: Int64 { self.nanoseconds / 1_000_000_000 }
}
