// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

/// What a peer may do how often; beyond it the session ends with ENHANCE_CALM (docs/protocol.md §B.12).
struct PeerConduct {
    private var opens: TokenBucket
    private var pings: TokenBucket
    private var smallData: TokenBucket
    private var glitches: TokenBucket
    private var extensionBytes: TokenBucket
    private var windowUpdates: UInt64 = 0
    private var lateFrames: UInt64 = 0
    private var goAways = 0
    /// How many oddities were let pass.
    private(set) var glitchCount = 0

    init(opensPerSecond: Double, now: NIODeadline) {
        self.opens = TokenBucket(rate: opensPerSecond, burst: opensPerSecond * 2, now: now)
        self.pings = TokenBucket(rate: 100, burst: 200, now: now)
        self.smallData = TokenBucket(rate: 20_000, burst: 40_000, now: now)
        self.glitches = TokenBucket(rate: 100, burst: 1_000, now: now)
        self.extensionBytes = TokenBucket(rate: 65_536.0 / 60, burst: 65_536, now: now)
    }

    /// Whether another stream may be opened now; if not it is refused with OVERLOADED.
    mutating func mayOpen(now: NIODeadline) -> Bool {
        self.opens.take(now: now)
    }

    mutating func ping(now: NIODeadline) throws(ProtocolViolation) {
        guard self.pings.take(now: now) else { throw ProtocolViolation(exceeding: .pings, "too many PINGs") }
    }

    /// DATA of fewer than 64 bytes that does not end its stream.
    mutating func smallData(now: NIODeadline) throws(ProtocolViolation) {
        guard self.smallData.take(now: now) else {
            throw ProtocolViolation(exceeding: .smallData, "too many small DATA frames")
        }
    }

    /// - Parameter sent: How many DATA bytes this side has sent: what updates can be about.
    mutating func windowUpdate(sent: UInt64) throws(ProtocolViolation) {
        self.windowUpdates += 1
        guard self.windowUpdates <= 256 + sent / 1_024 else {
            throw ProtocolViolation(exceeding: .windowUpdates, "too many WINDOW_UPDATEs for \(sent) bytes")
        }
    }

    /// A frame for a stream that has just ended: normal, but only so often.
    mutating func lateFrame(streams: UInt64) throws(ProtocolViolation) {
        self.lateFrames += 1
        guard self.lateFrames <= 4 * streams + 1_000 else {
            throw ProtocolViolation(exceeding: .lateFrames, "too many frames for ended streams")
        }
    }

    /// A GOAWAY: an orderly end takes two, more are odd.
    mutating func goAway(now: NIODeadline) throws(ProtocolViolation) {
        self.goAways += 1
        if self.goAways > 2 { try self.glitch(now: now) }
    }

    /// Something odd that harms nobody if it is rare.
    mutating func glitch(now: NIODeadline) throws(ProtocolViolation) {
        self.glitchCount += 1
        guard self.glitches.take(now: now) else { throw ProtocolViolation(exceeding: .glitches, "too many oddities") }
    }

    mutating func ignoredExtension(bytes: Int, now: NIODeadline) throws(ProtocolViolation) {
        guard self.extensionBytes.take(Double(bytes), now: now) else {
            throw ProtocolViolation(exceeding: .extensionBytes, "too many bytes in unknown frames")
        }
    }
}
