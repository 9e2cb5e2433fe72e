// SPDX-License-Identifier: Apache-2.0
import DequeModule
import NIOCore

/// The PINGs of this side: when one may go out, and what its answer means (docs/protocol.md §B.9.3).
struct Pings {
    private var unanswered: Deque<Ping> = []
    private var lastNumber: UInt64
    private var rate: TokenBucket
    /// Why a PING is wanted that has not gone out yet.
    private(set) var isWanted = false
    private(set) var lastSent: NIODeadline?

    /// A peer that keeps to the protocol never has to drop a PING with so few unanswered.
    static let maximumUnanswered = 8

    private struct Ping {
        var number: UInt64
        var sent: NIODeadline
        /// Whether its answer shows how long the path is.
        var isMeasure = true
    }

    /// What a PONG shows.
    enum Answer: Equatable {
        /// How long the path is there and back.
        case roundTrip(TimeAmount)
        /// Nothing: the PING went out over an earlier connection.
        case late
    }

    init(firstNumber: UInt64, now: NIODeadline) {
        self.lastNumber = firstNumber
        self.rate = TokenBucket(rate: 50, burst: 50, now: now)
    }

    var hasUnanswered: Bool { !self.unanswered.isEmpty }

    /// Since when the oldest unanswered PING waits.
    var oldestUnanswered: NIODeadline? { self.unanswered.first?.sent }

    mutating func want() {
        self.isWanted = true
    }

    var maySend: Bool { self.unanswered.count < Self.maximumUnanswered }

    /// The number of a PING to send now, or `nil` if it has to wait.
    mutating func send(now: NIODeadline) -> UInt64? {
        guard self.maySend, self.rate.take(now: now) else { return nil }
        self.isWanted = false
        self.lastNumber &+= 1
        self.lastSent = now
        self.unanswered.append(Ping(number: self.lastNumber, sent: now))
        return self.lastNumber
    }

    /// The round-trip time that a PONG shows; `nil` if it answers nothing, or a PING of an earlier connection.
    ///
    /// Answers come in order, so those before it are given up.
    mutating func receivedPong(_ number: UInt64, now: NIODeadline) -> TimeAmount? {
        guard case .roundTrip(let time) = self.answered(number, now: now) else { return nil }
        return time
    }

    /// What a PONG shows; `nil` if it answers nothing.
    mutating func answered(_ number: UInt64, now: NIODeadline) -> Answer? {
        guard let index = self.unanswered.firstIndex(where: { $0.number == number }) else { return nil }
        let ping = self.unanswered[index]
        self.unanswered.removeFirst(index + 1)
        return ping.isMeasure ? .roundTrip(now - ping.sent) : .late
    }

    /// Another connection goes on: PINGs on their way are answered over that one, and measure nothing.
    mutating func resumed(now: NIODeadline) {
        for index in self.unanswered.indices {
            self.unanswered[index].sent = now
            self.unanswered[index].isMeasure = false
        }
        self.want()
    }
}
