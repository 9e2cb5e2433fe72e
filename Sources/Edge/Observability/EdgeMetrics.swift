// SPDX-License-Identifier: Apache-2.0

import Protocol
import Synchronization

/// The figures of the edge, as Prometheus reads them.
///
/// Labels never name tunnels or visitors, so that the number of series is fixed.
final class EdgeMetrics: Sendable {
    private let activeSessions = Atomic<Int>(0)
    private let sessions = Atomic<UInt64>(0)
    private let refusedConnectors = Atomic<UInt64>(0)
    private let putOffConnectors = Atomic<UInt64>(0)
    private let bytesReceived = Atomic<UInt64>(0)
    private let bytesSent = Atomic<UInt64>(0)
    private let activeRequests = Atomic<Int>(0)
    private let streams = Atomic<Int>(0)
    private let stalls = Atomic<UInt64>(0)
    private let retries = Atomic<UInt64>(0)
    private let rememberedCallers = Atomic<Int>(0)
    private let loopLag = Mutex(LatencyHistogram())
    private let finished = Mutex(Finished())

    private struct Finished {
        var byStatusClass: [Int: UInt64] = [:]
        var byErrorCode: [String: UInt64] = [:]
        var byPeerLimit: [PeerLimit: UInt64] = [:]
        var overhead = LatencyHistogram()
        var origin = LatencyHistogram()
        var total = LatencyHistogram()
    }

    private let labels: String

    /// Makes figures that are all zero.
    ///
    /// - Parameter environment: A label of all of them.
    init(environment: RunEnvironment? = nil) {
        self.labels = environment.map { "environment=\"\($0.rawValue)\"" } ?? ""
    }

    /// Whether sessions or requests are still there.
    var isBusy: Bool {
        self.activeSessions.load(ordering: .relaxed) > 0 || self.activeRequests.load(ordering: .relaxed) > 0
    }

    /// A connector's session has joined its tunnel.
    func sessionOpened() {
        self.activeSessions.add(1, ordering: .relaxed)
        self.sessions.add(1, ordering: .relaxed)
    }

    /// A session that had joined has ended.
    ///
    /// - Parameter limits: How often the connector passed which limit of the protocol.
    func sessionClosed(limits: [PeerLimit: Int] = [:]) {
        self.activeSessions.subtract(1, ordering: .relaxed)
        guard !limits.isEmpty else { return }
        self.finished.withLock { finished in
            for (limit, count) in limits { finished.byPeerLimit[limit, default: 0] += UInt64(count) }
        }
    }

    /// What a session does has changed.
    func sessionChanged(from old: SessionFigures, to new: SessionFigures) {
        self.streams.add(new.streams - old.streams, ordering: .relaxed)
        self.stalls.add(new.stalls - old.stalls, ordering: .relaxed)
    }

    /// A request was sent once more, on another stream.
    func requestRetried() { self.retries.add(1, ordering: .relaxed) }

    /// The rate limits remember so many callers.
    func limitsRemember(callers: Int) { self.rememberedCallers.store(callers, ordering: .relaxed) }

    /// Something that was to run on an event loop did so later than it should have.
    func loopLagged(seconds: Double) { self.loopLag.withLock { $0.record(seconds: seconds) } }

    /// A connector's token was refused.
    func connectorRefused() { self.refusedConnectors.add(1, ordering: .relaxed) }

    /// A connector was told to come a little later.
    func connectorPutOff() { self.putOffConnectors.add(1, ordering: .relaxed) }

    /// A visitor's request has begun.
    func requestStarted() { self.activeRequests.add(1, ordering: .relaxed) }

    /// A visitor's request is over.
    ///
    /// - Parameter entry: What the access log says of it.
    func requestFinished(_ entry: AccessLogEntry) {
        self.activeRequests.subtract(1, ordering: .relaxed)
        self.bytesReceived.add(UInt64(max(0, entry.bytesReceived)), ordering: .relaxed)
        self.bytesSent.add(UInt64(max(0, entry.bytesSent)), ordering: .relaxed)
        self.finished.withLock { finished in
            finished.byStatusClass[entry.status / 100, default: 0] += 1
            if let code = entry.errorCode { finished.byErrorCode[code, default: 0] += 1 }
            finished.total.record(seconds: entry.milliseconds / 1000)
            if let overhead = entry.overheadMilliseconds { finished.overhead.record(seconds: overhead / 1000) }
            if let origin = entry.originMilliseconds { finished.origin.record(seconds: origin / 1000) }
        }
    }

    /// The figures in the text format of Prometheus.
    func prometheusText() -> String {
        var text = PrometheusText(labels: self.labels)
        text.add("culvert_sessions", .gauge, "Connector sessions", self.activeSessions.load(ordering: .relaxed))
        text.add("culvert_sessions_total", .counter, "Sessions so far", self.sessions.load(ordering: .relaxed))
        text.add(
            "culvert_connectors_refused_total",
            .counter,
            "Connectors whose token was refused",
            self.refusedConnectors.load(ordering: .relaxed)
        )
        text.add(
            "culvert_connectors_put_off_total",
            .counter,
            "Connectors that were told to come a little later",
            self.putOffConnectors.load(ordering: .relaxed)
        )
        text.add("culvert_requests", .gauge, "Requests in flight", self.activeRequests.load(ordering: .relaxed))
        let received = self.bytesReceived.load(ordering: .relaxed)
        let sent = self.bytesSent.load(ordering: .relaxed)
        text.add("culvert_received_bytes_total", .counter, "Body bytes from visitors", received)
        text.add("culvert_sent_bytes_total", .counter, "Body bytes to visitors", sent)
        let finished = self.finished.withLock { $0 }
        text.add(
            "culvert_requests_total",
            .counter,
            "Requests by class of status",
            finished.byStatusClass.sorted { $0.key < $1.key }.map { ("class=\"\($0.key)xx\"", "\($0.value)") }
        )
        text.add(
            "culvert_errors_total",
            .counter,
            "Requests that ended with an error of the edge, by its code",
            finished.byErrorCode.sorted { $0.key < $1.key }.map { ("code=\"\($0.key)\"", "\($0.value)") }
        )
        text.add(
            "culvert_session_limits_total",
            .counter,
            "Limits of the mux protocol that connectors passed, by limit; counted when their session ends",
            PeerLimit.allCases.map { ("limit=\"\($0.rawValue)\"", "\(finished.byPeerLimit[$0] ?? 0)") }
        )
        text.add("culvert_request_seconds", "Duration of requests", finished.total)
        text.add(
            "culvert_overhead_seconds",
            "From a request's head to the moment when it was on its way to the connector",
            finished.overhead
        )
        text.add(
            "culvert_origin_seconds",
            "From there to the head of the answer: the connector, the local server and the way",
            finished.origin
        )
        self.addInnerFigures(to: &text)
        ProcessFigures.now()?.add(to: &text)
        return text.description
    }

    private func addInnerFigures(to text: inout PrometheusText) {
        text.add("culvert_streams", .gauge, "Streams to connectors", self.streams.load(ordering: .relaxed))
        text.add(
            "culvert_window_stalls_total",
            .counter,
            "Times that a stream had something to send and no credit for it",
            self.stalls.load(ordering: .relaxed)
        )
        text.add(
            "culvert_retries_total",
            .counter,
            "Requests that were sent once more on another stream",
            self.retries.load(ordering: .relaxed)
        )
        text.add(
            "culvert_rate_limit_callers",
            .gauge,
            "Callers that the rate limits of the API remember",
            self.rememberedCallers.load(ordering: .relaxed)
        )
        text.add(
            "culvert_event_loop_lag_seconds",
            "How late work of the event loops began",
            self.loopLag.withLock { $0 }
        )
    }
}

/// What one session adds to the figures of all.
struct SessionFigures: Equatable, Sendable {
    /// The streams under way.
    var streams = 0
    /// How often one of them waited for credit.
    var stalls: UInt64 = 0
}
