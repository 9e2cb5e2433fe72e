// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

/// This side's orderly end of a session, step by step (docs/protocol.md §B.9.5).
///
/// The announcement goes out first, a PING behind it as soon as the session no longer lingers, and the final GOAWAY when
/// the peer has answered that PING or two seconds have passed: by then every OPEN that the peer sent before it read
/// the announcement has arrived.
struct SessionDrain: Hashable {
    /// Why the session ends.
    let code: ErrorCode
    /// How long streams may run, as it was announced.
    let grace: TimeAmount
    /// When the streams that are left are reset.
    var deadline: NIODeadline
    private(set) var step: Step
    /// When the final GOAWAY goes out even if the PING is not answered.
    private let finalAt: NIODeadline

    enum Step: Hashable {
        /// The session stays, even without streams, until then.
        case lingering(until: NIODeadline)
        /// A PING is to go out behind the announcement.
        case pingWanted
        /// That PING is out, with this number.
        case pingSent(UInt64)
        /// The final GOAWAY is out or due: the peer's streams above this one were not accepted and are ignored.
        case final(lastAccepted: StreamID)
    }

    /// - Parameters:
    ///   - code: Why the session ends.
    ///   - gracePeriod: How long streams may run.
    ///   - lingering: How long the session stays without any stream, and this side may open some: part of the grace.
    ///   - now: The time.
    init(code: ErrorCode, gracePeriod: TimeAmount, lingering: TimeAmount, now: NIODeadline) {
        self.code = code
        self.grace = gracePeriod
        self.deadline = now + gracePeriod
        let lingersUntil = min(now + lingering, now + gracePeriod)
        self.step = lingering <= .zero ? .pingWanted : .lingering(until: lingersUntil)
        self.finalAt = lingersUntil + .seconds(2)
    }

    var isPingWanted: Bool { self.step == .pingWanted }

    var isFinal: Bool { self.ignoredAbove != nil }

    /// The last stream of the peer that is not ignored, once the final GOAWAY has named it.
    var ignoredAbove: StreamID? {
        guard case .final(let last) = self.step else { return nil }
        return last
    }

    /// The clock has moved on: lingering ends when its time has come.
    mutating func tick(now: NIODeadline) {
        if case .lingering(let until) = self.step, now >= until { self.step = .pingWanted }
    }

    /// Whether the final GOAWAY goes out now though the PING was not answered.
    func isFinalOverdue(now: NIODeadline) -> Bool { !self.isFinal && now >= self.finalAt }

    mutating func pingSent(_ number: UInt64) {
        guard self.step == .pingWanted else { return }
        self.step = .pingSent(number)
    }

    /// Whether the PONG of this number is the one that the final GOAWAY waits for.
    func isAnswered(by number: UInt64) -> Bool { self.step == .pingSent(number) }

    /// The final GOAWAY is due.
    mutating func finish(lastAccepted: StreamID) {
        self.step = .final(lastAccepted: lastAccepted)
    }
}
