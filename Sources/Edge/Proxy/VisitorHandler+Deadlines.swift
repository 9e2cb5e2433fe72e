// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

extension VisitorHandler: NIOScheduledCallbackHandler {
    /// What a connection waits for, and until when.
    ///
    /// There is one at a time.
    struct Deadline {
        enum Kind: Equatable {
            /// The next request.
            case idle
            /// The rest of a head.
            case head
            /// The rest of a body that the edge itself reads.
            case body
            /// More of an upload.
            case stalledUpload
            /// The origin's head.
            case response(TimeAmount)
            /// The visitor to take what was written.
            case stalledDownload
            /// A visitor who has closed one direction to show that it is still there.
            case halfClosed
            /// The visitor to close after us.
            case lingering
        }

        var kind: Kind
        var at: NIODeadline
    }

    func setDeadline(_ kind: Deadline.Kind, now: NIODeadline = .now()) {
        let at = now + self.duration(of: kind)
        self.deadline = Deadline(kind: kind, at: at)
        // A task that fires early looks again: moving a deadline back costs nothing.
        if self.deadlineTask != nil, let scheduled = self.deadlineAt, scheduled <= at { return }
        self.schedule(at)
    }

    /// Lets the time of that side run whose turn it is.
    func setExchangeDeadline() {
        guard let context, let exchange = self.exchange else { return }
        guard context.channel.isWritable else {
            if self.deadline?.kind != .stalledDownload { self.setDeadline(.stalledDownload) }
            return
        }
        switch exchange.state.turn {
        case .visitor:
            self.exchange?.uploadProgress = 0
            self.setDeadline(.stalledUpload)
        case .origin:
            let ownTimeout = exchange.tunnel.policy.requestTimeoutSeconds.map { TimeAmount.seconds(Int64($0)) }
            self.setDeadline(.response(ownTimeout ?? self.services.tunnels.requestTimeout))
        case .neither: self.cancelDeadline()
        }
    }

    /// What an upload has to bring in its time to get more, in bytes, until the origin begins to answer: a visitor who
    /// sends a byte now and then only wants to keep a connection busy.
    ///
    /// In the 60 s that are the default, a sensor that sends a byte a second brings more.
    private static let minimumProgress = 16

    /// More of an upload came.
    func uploadProgressed(_ bytes: Int) {
        guard let exchange = self.exchange else { return }
        exchange.uploadProgress += bytes
        let isEnough = exchange.state.isUnanswered ? exchange.uploadProgress >= Self.minimumProgress : bytes > 0
        if isEnough || self.deadline?.kind != .stalledUpload { self.setExchangeDeadline() }
    }

    func cancelDeadline() {
        self.deadline = nil
        if self.context == nil || self.isClosedPhase {
            self.deadlineTask?.cancel()
            self.deadlineTask = nil
        }
    }

    private var isClosedPhase: Bool {
        if case .closed = self.phase { true } else { false }
    }

    private func duration(of kind: Deadline.Kind) -> TimeAmount {
        switch kind {
        case .idle: self.services.http.keepAliveTimeout
        case .head: self.services.http.headTimeout
        case .body, .stalledUpload, .stalledDownload: self.services.http.stallTimeout
        case .response(let timeout): timeout
        case .halfClosed: .milliseconds(500)
        case .lingering: .seconds(2)
        }
    }

    /// How far ahead a task is scheduled at most: one that fires early looks again, while one that is too late for the
    /// next deadline has to be cancelled, which costs more.
    private static let furthestTask = TimeAmount.seconds(5)

    private func schedule(_ deadline: NIODeadline) {
        guard let context else { return }
        self.deadlineTask?.cancel()
        let at = min(deadline, .now() + Self.furthestTask)
        self.deadlineAt = at
        // A callback rather than a task: nobody needs a future of each. An event loop that takes none is shutting down.
        self.deadlineTask = try? context.eventLoop.assumeIsolated().scheduleCallback(at: at, handler: self)
    }

    /// The task has come to its time, if perhaps not to the deadline.
    func handleScheduledCallback(eventLoop: some EventLoop) {
        self.deadlineTask = nil
        guard let deadline = self.deadline else { return }
        if deadline.at > .now() { self.schedule(deadline.at) } else { self.deadlinePassed(deadline.kind) }
    }

    private var hasQueuedBytes: Bool {
        ((try? self.context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0) > 0
    }

    private func deadlinePassed(_ kind: Deadline.Kind) {
        self.deadline = nil
        switch kind {
        case .idle: self.closeSoon()
        case .head, .body:
            self.refuse(.requestTimeout, detail: nil)
        case .stalledUpload, .response: self.exchangeTimedOut(kind)
        case .stalledDownload: self.cut(withReset: true)
        case .lingering: self.context?.close(promise: nil)
        case .halfClosed:
            guard !self.hasWrittenSinceInputEnded else { return self.setExchangeDeadline() }
            // A visitor that is slow to take what it asked for is not gone.
            if self.hasQueuedBytes { self.setDeadline(.stalledDownload) } else { self.context?.close(promise: nil) }
        }
    }
}
