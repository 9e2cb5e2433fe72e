// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// What a connection waits for, and until when: one thing at a time.
///
/// A value without timers: it says when one is wanted, and what it means that one has come to its time.
struct ConnectionDeadlines {
    typealias Time = TimeAmount

    enum Kind: Equatable {
        /// The next request.
        case idle
        /// The first request of a connection, when its listener is closed.
        case firstRequest
        /// The rest of a head.
        case head
        /// The rest of a body that the edge itself reads.
        case body
        /// More of an upload: at least so many bytes.
        case upload(minimum: Int)
        /// The origin's head.
        case response(Time)
        /// The visitor to take what was written.
        case stalledDownload
        /// A visitor who has closed one direction to show that it is still there.
        case halfClosed
        /// The visitor to close after us.
        case lingering
        /// The visitor to end the upload that was answered before its end, and to read the answer: bytes that come have no
        /// reader, but to close before that would destroy what it has not read (RFC 9112 §9.6).
        case unreadUpload
    }

    /// What it means that a timer has come to its time.
    enum Firing: Equatable {
        /// Nothing is waited for.
        case nothing
        /// A timer is wanted for this time.
        case schedule(NIODeadline)
        /// What was waited for has not come.
        case passed(Kind)
    }

    private let settings: ProxySettings
    private(set) var kind: Kind?
    private var end = NIODeadline.distantFuture
    /// When the timer fires, which may be before the deadline; `nil` if there is none.
    private var timer: NIODeadline?
    /// Bytes of an upload since its time began.
    private var progress = 0
    /// When an upload that has no reader is given up, however much still comes.
    private var lastEnd = NIODeadline.distantFuture

    init(_ settings: ProxySettings) {
        self.settings = settings
    }

    /// How far ahead a timer is set at most: one that fires early looks again, while one that is too late for the next
    /// deadline has to be cancelled, which costs more.
    static let furthestTimer = TimeAmount.seconds(5)

    /// Names what the connection waits for now; the time of what it waited for before goes on if that is the same.
    ///
    /// - Returns: When a timer is wanted, in place of one that there may be; `nil` if all is well as it is.
    mutating func wait(for kind: Kind?, now: @autoclosure () -> NIODeadline) -> NIODeadline? {
        guard kind != self.kind else { return nil }
        self.kind = kind
        guard kind != nil else { return nil }
        return self.begin(now: now())
    }

    /// Whatever is waited for next has its time from the start, even if it is the same thing as before.
    mutating func restart() {
        self.kind = nil
    }

    /// The origin has said that it is at work: its head has all its time again.
    mutating func originAnsweredInterim() {
        if case .response = self.kind { self.restart() }
    }

    /// More of an upload came, or while both directions are at work, of its response.
    ///
    /// - Returns: As ``wait(for:now:)``.
    mutating func progressed(_ bytes: Int, now: @autoclosure () -> NIODeadline) -> NIODeadline? {
        guard case .upload(let minimum) = self.kind else { return nil }
        self.progress += bytes
        guard self.progress >= minimum else { return nil }
        return self.begin(now: now())
    }

    /// Bytes came that have no reader: whoever still sends has not read the answer yet.
    mutating func dropped(now: @autoclosure () -> NIODeadline) {
        guard self.kind == .unreadUpload else { return }
        self.end = min(now() + self.time(of: .unreadUpload), self.lastEnd)
    }

    /// How long an upload that has no reader goes on at most; this and the pause in it are nginx's.
    static let longestUnreadUpload = TimeAmount.seconds(30)

    private mutating func begin(now: NIODeadline) -> NIODeadline? {
        guard let kind = self.kind else { return nil }
        self.progress = 0
        self.end = now + self.time(of: kind)
        if kind == .unreadUpload { self.lastEnd = now + Self.longestUnreadUpload }
        // A timer that fires early looks again: moving a deadline back costs nothing.
        if let timer = self.timer, timer <= self.end { return nil }
        return self.set(now: now)
    }

    private mutating func set(now: NIODeadline) -> NIODeadline {
        let time = min(self.end, now + Self.furthestTimer)
        self.timer = time
        return time
    }

    /// The timer has come to its time, if perhaps not to the deadline.
    mutating func fired(now: NIODeadline) -> Firing {
        self.timer = nil
        guard let kind = self.kind else { return .nothing }
        guard self.end <= now else { return .schedule(self.set(now: now)) }
        self.kind = nil
        return .passed(kind)
    }

    private func time(of kind: Kind) -> TimeAmount {
        switch kind {
        case .idle: self.settings.keepAliveTimeout
        case .head: self.settings.headTimeout
        case .body, .upload, .stalledDownload: self.settings.stallTimeout
        case .response(let time): time
        case .halfClosed, .firstRequest: .milliseconds(500)
        case .lingering: .seconds(2)
        case .unreadUpload: .seconds(5)
        }
    }
}
