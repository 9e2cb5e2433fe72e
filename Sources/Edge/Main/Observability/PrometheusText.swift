// SPDX-License-Identifier: Apache-2.0

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
    /// Labels that every sample has.
    private let commonLabels: String

    /// Makes an empty text.
    ///
    /// - Parameter labels: Labels that every sample has: `environment="local"`.
    init(labels: String = "") {
        self.commonLabels = labels
    }

    /// Adds a figure without labels.
    mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: some BinaryInteger) {
        self.head(name, kind, help)
        self.sample(name, "", "\(value)")
    }

    /// Adds a figure with a fraction.
    mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: Double) {
        self.head(name, kind, help)
        self.sample(name, "", "\(value)")
    }

    /// Adds a metric with all its series.
    mutating func add(_ metric: MetricDescription, _ series: [(labels: String, value: MetricValue)]) {
        self.head(metric.name, metric.kind, metric.help)
        for (labels, value) in series {
            switch value {
            case .number(let number): self.sample(metric.name, labels, Self.text(number))
            case .histogram(let histogram): self.add(histogram, of: metric.name, labels)
            }
        }
    }

    private mutating func add(_ histogram: LatencyHistogram, of name: String, _ labels: String) {
        let prefix = labels.isEmpty ? "" : labels + ","
        var cumulative: UInt64 = 0
        for (bound, count) in zip(LatencyHistogram.bounds, histogram.counts) {
            cumulative += count
            self.sample("\(name)_bucket", "\(prefix)le=\"\(bound)\"", "\(cumulative)")
        }
        self.sample("\(name)_bucket", "\(prefix)le=\"+Inf\"", "\(histogram.count)")
        self.sample("\(name)_sum", labels, "\(histogram.sum)")
        self.sample("\(name)_count", labels, "\(histogram.count)")
    }

    /// A name that Prometheus takes: what is not allowed in one becomes `_`.
    static func name(_ label: String) -> String {
        let isFine = { (byte: UInt8) in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: ":"):
                true
            default: false
            }
        }
        let name = String(decoding: label.utf8.map { isFine($0) ? $0 : UInt8(ascii: "_") }, as: UTF8.self)
        return name.first?.isNumber ?? true ? "_" + name : name
    }

    /// Labels as samples have them: `code="timeout"`.
    static func labels(_ dimensions: [(String, String)]) -> String {
        dimensions.map { name, value in
            let escaped = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
            return "\(Self.name(name))=\"\(escaped)\""
        }
        .joined(separator: ",")
    }

    /// A number without a fraction that is none.
    private static func text(_ number: Double) -> String {
        Int(exactly: number).map { "\($0)" } ?? "\(number)"
    }

    private mutating func sample(_ name: String, _ labels: String, _ value: String) {
        let all = [labels, self.commonLabels].filter { !$0.isEmpty }.joined(separator: ",")
        self.description += all.isEmpty ? "\(name) \(value)\n" : "\(name){\(all)} \(value)\n"
    }

    private mutating func head(_ name: String, _ kind: Kind, _ help: String) {
        self.description += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    }
}
