// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// The figures of the edge, as Prometheus reads them.
///
/// Labels never name tunnels or visitors, so that the number of series is fixed.
final class EdgeMetrics: Sendable {
    private let activeSessions = Atomic<Int>(0)
    private let sessions = Atomic<UInt64>(0)
    private let refusedConnectors = Atomic<UInt64>(0)
    private let bytesReceived = Atomic<UInt64>(0)
    private let bytesSent = Atomic<UInt64>(0)
    private let activeRequests = Atomic<Int>(0)
    private let finished = Mutex(Finished())

    private struct Finished {
        var byStatusClass: [Int: UInt64] = [:]
        var byErrorCode: [String: UInt64] = [:]
        var overhead = LatencyHistogram()
        var total = LatencyHistogram()
    }

    init() {}

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
    func sessionClosed() { self.activeSessions.subtract(1, ordering: .relaxed) }

    /// A connector's token was refused.
    func connectorRefused() { self.refusedConnectors.add(1, ordering: .relaxed) }

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
        }
    }

    /// The figures in the text format of Prometheus.
    func prometheusText() -> String {
        var text = PrometheusText()
        text.add("culvert_sessions", .gauge, "Connector sessions", self.activeSessions.load(ordering: .relaxed))
        text.add("culvert_sessions_total", .counter, "Sessions so far", self.sessions.load(ordering: .relaxed))
        text.add(
            "culvert_connectors_refused_total",
            .counter,
            "Connectors whose token was refused",
            self.refusedConnectors.load(ordering: .relaxed)
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
        text.add("culvert_request_seconds", "Duration of requests", finished.total)
        return text.description
    }
}

/// How often something took how long, in buckets fit for requests.
struct LatencyHistogram: Sendable {
    /// The upper bounds of the buckets in seconds.
    static let bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

    private(set) var counts = Array(repeating: UInt64(0), count: Self.bounds.count)
    private(set) var sum = 0.0
    private(set) var count: UInt64 = 0

    /// Counts one duration.
    mutating func record(seconds: Double) {
        self.count += 1
        self.sum += seconds
        if let index = Self.bounds.firstIndex(where: { seconds <= $0 }) { self.counts[index] += 1 }
    }
}

/// The text format of Prometheus, version 0.0.4.
struct PrometheusText: CustomStringConvertible {
    /// What a figure does.
    enum Kind: String {
        case counter
        case gauge
        case histogram
    }

    private(set) var description = ""

    /// Adds a figure without labels.
    mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: some BinaryInteger) {
        self.head(name, kind, help)
        self.description += "\(name) \(value)\n"
    }

    /// Adds a figure with labels.
    mutating func add(_ name: String, _ kind: Kind, _ help: String, _ samples: [(labels: String, value: String)]) {
        self.head(name, kind, help)
        for sample in samples { self.description += "\(name){\(sample.labels)} \(sample.value)\n" }
    }

    /// Adds a histogram.
    mutating func add(_ name: String, _ help: String, _ histogram: LatencyHistogram) {
        self.head(name, .histogram, help)
        var cumulative: UInt64 = 0
        for (bound, count) in zip(LatencyHistogram.bounds, histogram.counts) {
            cumulative += count
            self.description += "\(name)_bucket{le=\"\(bound)\"} \(cumulative)\n"
        }
        self.description += "\(name)_bucket{le=\"+Inf\"} \(histogram.count)\n"
        self.description += "\(name)_sum \(histogram.sum)\n\(name)_count \(histogram.count)\n"
    }

    private mutating func head(_ name: String, _ kind: Kind, _ help: String) {
        self.description += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    }
}
