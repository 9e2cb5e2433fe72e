// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeDirectory
import EdgeProxy
import EdgeTCP
import EdgeTunnels
import Metrics
import NIOCore
import Program
import Protocol

/// The figures of the edge, recorded with swift-metrics.
///
/// Labels never name tunnels or visitors, so that the number of series is fixed.
final class EdgeMetrics: SessionRecorder {
    /// Where they are kept; the backend of swift-metrics for the whole process.
    let registry: MetricRegistry
    private let labels: String

    private let activeSessions: Meter
    private let sessions: Counter
    private let suspendedSessions: Meter
    private let resumedSessions: Counter
    private let resumption: Timer
    private let refusedConnectors: Counter
    private let putOffConnectors: Counter
    private let activeRequests: Meter
    /// By class of status, and whether the connector was another edge's.
    private let requestsByClass: [[Counter]]
    private let errorsByCode: [String: Counter]
    private let limitsByName: [PeerLimit: Counter]
    private let bytesReceived: Counter
    private let bytesSent: Counter
    private let total: Timer
    private let overhead: Timer
    private let origin: Timer
    private let streams: Meter
    private let stalls: Counter
    private let retries: Counter
    private let rememberedCallers: Meter
    private let loopLag: Timer
    private let connections: ConnectionMetrics
    /// Those of links to other edges.
    let links: LinkMetrics
    /// The figures of webhook inboxes.
    let inboxes: InboxMetrics

    /// Makes figures that are all zero.
    ///
    /// - Parameter environment: A label of all of them.
    init(environment: RunEnvironment? = nil) {
        let registry = MetricRegistry(Self.descriptions)
        self.registry = registry
        self.labels = environment.map { PrometheusText.labels([("environment", $0.rawValue)]) } ?? ""
        Meter(
            label: "culvert_build_info",
            dimensions: [("version", ProgramVersion.current), ("revision", ProgramVersion.revision)],
            factory: registry
        ).set(1)
        self.activeSessions = Meter(label: "culvert_active_sessions", factory: registry)
        self.sessions = Counter(label: "culvert_sessions_total", factory: registry)
        self.suspendedSessions = Meter(label: "culvert_sessions_suspended", factory: registry)
        self.resumedSessions = Counter(label: "culvert_sessions_resumed_total", factory: registry)
        self.resumption = Timer(label: "culvert_resume_seconds", factory: registry)
        self.refusedConnectors = Counter(label: "culvert_connectors_refused_total", factory: registry)
        self.putOffConnectors = Counter(label: "culvert_connectors_put_off_total", factory: registry)
        self.activeRequests = Meter(label: "culvert_active_requests", factory: registry)
        // Series that begin with zero: of one that begins with its first event Prometheus sees no increase.
        self.requestsByClass = (0...5).map { hundreds in
            [false, true].map { Self.requests(ofClass: hundreds, overLink: $0, registry) }
        }
        self.errorsByCode = Dictionary(
            uniqueKeysWithValues: VisitorError.allCases.map { ($0.code, Self.errors($0.code, registry)) }
        )
        self.limitsByName = Dictionary(
            uniqueKeysWithValues: PeerLimit.allCases.map { limit in
                let dimensions = [("limit", limit.rawValue)]
                return (
                    limit, Counter(label: "culvert_session_limits_total", dimensions: dimensions, factory: registry)
                )
            }
        )
        self.bytesReceived = Counter(label: "culvert_received_bytes_total", factory: registry)
        self.bytesSent = Counter(label: "culvert_sent_bytes_total", factory: registry)
        self.total = Timer(label: "culvert_request_seconds", factory: registry)
        self.overhead = Timer(label: "culvert_overhead_seconds", factory: registry)
        self.origin = Timer(label: "culvert_origin_seconds", factory: registry)
        self.streams = Meter(label: "culvert_streams", factory: registry)
        self.stalls = Counter(label: "culvert_window_stalls_total", factory: registry)
        self.retries = Counter(label: "culvert_retries_total", factory: registry)
        self.rememberedCallers = Meter(label: "culvert_rate_limit_callers", factory: registry)
        self.loopLag = Timer(label: "culvert_event_loop_lag_seconds", factory: registry)
        self.connections = ConnectionMetrics(registry)
        self.links = LinkMetrics(registry)
        self.inboxes = InboxMetrics(registry)
    }

    private static func requests(ofClass hundreds: Int, overLink: Bool, _ registry: MetricRegistry) -> Counter {
        Counter(
            label: "culvert_requests_total",
            dimensions: [("class", "\(hundreds)xx"), ("via", overLink ? "pod" : "local")],
            factory: registry
        )
    }

    private static func errors(_ code: String, _ registry: MetricRegistry) -> Counter {
        Counter(label: "culvert_errors_total", dimensions: [("code", code)], factory: registry)
    }

    /// The registry that other edges share was reached, or was lost.
    func registryChanged(isUp: Bool) {
        Meter(label: "culvert_registry_up", factory: self.registry).set(isUp ? 1 : 0)
    }

    /// A connector's session has joined its tunnel.
    func sessionOpened() {
        self.activeSessions.increment()
        self.sessions.increment()
    }

    /// A session that had joined has ended.
    func sessionClosed() {
        self.activeSessions.decrement()
    }

    /// A session has lost its connection and is kept.
    func sessionSuspended(tunnels: Int) {
        self.suspendedSessions.increment()
        self.activeSessions.decrement(by: Double(tunnels))
    }

    /// Such a session is over.
    func sessionSuspensionEnded() {
        self.suspendedSessions.decrement()
    }

    /// Such a session has a connection again.
    func sessionResumed(tunnels: Int, after pause: TimeAmount) {
        self.suspendedSessions.decrement()
        self.activeSessions.increment(by: Double(tunnels))
        self.resumedSessions.increment()
        self.resumption.recordSeconds(Double(pause.nanoseconds) / 1e9)
    }

    /// A connector's connection is over.
    ///
    /// - Parameter limits: How often the connector passed which limit of the protocol.
    func limitsPassed(_ limits: [PeerLimit: Int]) {
        for (limit, count) in limits { self.limitsByName[limit]?.increment(by: count) }
    }

    /// What a session does has changed.
    func sessionChanged(from old: SessionFigures, to new: SessionFigures) {
        self.streams.increment(by: Double(new.streams - old.streams))
        self.stalls.increment(by: new.stalls - old.stalls)
    }

    /// A request was sent once more, on another stream.
    func requestRetried() { self.retries.increment() }

    /// The rate limits remember so many callers.
    func limitsRemember(callers: Int) { self.rememberedCallers.set(callers) }

    /// Something that was to run on an event loop did so later than it should have.
    func loopLagged(seconds: Double) { self.loopLag.recordSeconds(seconds) }

    /// A connector's token was refused.
    func connectorRefused() { self.refusedConnectors.increment() }

    /// A connector was told to come a little later.
    func connectorPutOff() { self.putOffConnectors.increment() }

    /// A visitor's request has begun.
    func requestStarted() {
        self.activeRequests.increment()
    }

    /// A visitor's request is over.
    ///
    /// - Parameter entry: What the access log says of it.
    func requestFinished(_ entry: AccessLogEntry) {
        self.activeRequests.decrement()
        self.bytesReceived.increment(by: entry.bytesReceived)
        self.bytesSent.increment(by: entry.bytesSent)
        let hundreds = entry.status / 100
        // Statuses beyond 5xx are an origin's own invention.
        let overLink = entry.otherEdge != nil
        (self.requestsByClass.indices.contains(hundreds)
            ? self.requestsByClass[hundreds][overLink ? 1 : 0]
            : Self.requests(ofClass: hundreds, overLink: overLink, self.registry)).increment()
        if let code = entry.errorCode {
            (self.errorsByCode[code] ?? Self.errors(code, self.registry)).increment()
        }
        self.total.recordMilliseconds(entry.milliseconds)
        if let overhead = entry.overheadMilliseconds { self.overhead.recordMilliseconds(overhead) }
        if let origin = entry.originMilliseconds { self.origin.recordMilliseconds(origin) }
    }

    /// A visitor's connection to a tunnel that is not of HTTP has begun.
    func connectionStarted(_ kind: TunnelKind) { self.connections.started(kind) }

    /// Such a connection is over.
    func connectionFinished(_ entry: ConnectionEntry) { self.connections.finished(entry) }

    /// The figures in the text format of Prometheus.
    func prometheusText() -> String {
        var text = PrometheusText(labels: self.labels)
        self.registry.write(to: &text)
        text.add(
            "culvert_log_lines_dropped_total",
            .counter,
            "Log lines that nobody took in time",
            QueuedLines.droppedLines
        )
        ProcessFigures.now()?.add(to: &text)
        return text.description
    }
}

extension EdgeMetrics {
    /// What docs/metrics.md explains, in its order.
    private static var descriptions: [MetricDescription] {
        Self.ownDescriptions + LinkMetrics.descriptions + ConnectionMetrics.descriptions + InboxMetrics.descriptions
    }

    private static let ownDescriptions = [
        MetricDescription("culvert_build_info", .gauge, "Always 1; the labels say what runs"),
        MetricDescription("culvert_active_sessions", .gauge, "Connector sessions"),
        MetricDescription("culvert_sessions_total", .counter, "Sessions so far"),
        MetricDescription(
            "culvert_sessions_suspended",
            .gauge,
            "Sessions that have lost their connection and wait for another one"
        ),
        MetricDescription("culvert_sessions_resumed_total", .counter, "Sessions that went on over another connection"),
        MetricDescription("culvert_resume_seconds", .histogram, "How long these had no connection"),
        MetricDescription("culvert_connectors_refused_total", .counter, "Connectors whose token was refused"),
        MetricDescription(
            "culvert_connectors_put_off_total",
            .counter,
            "Connectors that were told to come a little later"
        ),
        MetricDescription("culvert_active_requests", .gauge, "Requests in flight"),
        MetricDescription(
            "culvert_requests_total",
            .counter,
            "Requests by class of status and the way to the connector"
        ),
        MetricDescription(
            "culvert_errors_total",
            .counter,
            "Requests that ended with an error of the edge, by its code"
        ),
        MetricDescription(
            "culvert_session_limits_total",
            .counter,
            "Limits of the mux protocol that connectors passed, by limit; counted when their session ends"
        ),
        MetricDescription("culvert_received_bytes_total", .counter, "Body bytes from visitors"),
        MetricDescription("culvert_sent_bytes_total", .counter, "Body bytes to visitors"),
        MetricDescription("culvert_request_seconds", .histogram, "Duration of requests"),
        MetricDescription(
            "culvert_overhead_seconds",
            .histogram,
            "From a request's head to the moment when it was on its way to the connector"
        ),
        MetricDescription(
            "culvert_origin_seconds",
            .histogram,
            "From there to the head of the answer: the connector, the local server and the way"
        ),
        MetricDescription("culvert_streams", .gauge, "Streams to connectors"),
        MetricDescription(
            "culvert_window_stalls_total",
            .counter,
            "Times that a stream had something to send and no credit for it"
        ),
        MetricDescription("culvert_retries_total", .counter, "Requests that were sent once more on another stream"),
        MetricDescription("culvert_rate_limit_callers", .gauge, "Callers that the rate limits of the API remember"),
        MetricDescription("culvert_event_loop_lag_seconds", .histogram, "How late work of the event loops began"),
        MetricDescription("culvert_registry_up", .gauge, "1 while Redis answers; absent without cluster.redis.url"),
        MetricDescription("culvert_registry_seconds", .histogram, "How long Redis took, by operation"),
        MetricDescription("culvert_registry_errors_total", .counter, "What Redis did not answer, by operation"),
    ]
}

extension EdgeMetrics: DirectoryRecorder {
    func directoryAnswered(_ operation: DirectoryOperation, seconds: Double) {
        Timer(
            label: "culvert_registry_seconds",
            dimensions: [("operation", operation.rawValue)],
            factory: self.registry
        )
        .recordSeconds(seconds)
    }

    func directoryFailed(_ operation: DirectoryOperation) {
        Counter(
            label: "culvert_registry_errors_total",
            dimensions: [("operation", operation.rawValue)],
            factory: self.registry
        )
        .increment()
    }
}
