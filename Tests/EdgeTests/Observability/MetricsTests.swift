// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Testing

@testable import Edge
@testable import EdgeProxy
@testable import EdgeTunnels

@Suite("Metrics")
struct MetricsTests {
    private static let repository = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private func text(of path: String) throws -> String {
        try String(contentsOf: Self.repository.appendingPathComponent(path), encoding: .utf8)
    }

    private func entry(tunnel: String, error: String? = nil) -> AccessLogEntry {
        AccessLogEntry(
            requestID: RequestID(),
            tunnelID: TunnelID(tunnel),
            otherEdge: nil,
            method: "GET",
            path: "/\(tunnel)/",
            status: error == nil ? 200 : 503,
            bytesReceived: 1,
            bytesSent: 1,
            milliseconds: 1,
            overheadMilliseconds: 0.1,
            originMilliseconds: 0.5,
            errorCode: error,
            remoteAddress: nil,
            traceparent: nil
        )
    }

    /// The names of metrics with their types, as the exposition declares them.
    private func declared(_ exposition: String) -> Set<String> {
        let lines = exposition.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }
        return Set(lines.map { String($0.dropFirst("# TYPE ".count)).replacing(" ", with: " | ") })
    }

    @Test("docs/metrics.md lists each metric with its type, and no other")
    func documentation() throws {
        let rows = try self.text(of: "docs/metrics.md").split(separator: "\n")
            .filter { $0.hasPrefix("| `culvert_") || $0.hasPrefix("| `process_") }
            .map { $0.split(separator: "|").prefix(2).map { $0.trimmingCharacters(in: [" ", "`"]) } }
            .map { $0.joined(separator: " | ") }
        #expect(Set(rows) == self.declared(EdgeMetrics().prometheusText()))
        #expect(rows.count == Set(rows).count)
    }

    @Test(
        "The dashboard and the alerts use only metrics that there are, and the page has a row for each alert",
        arguments: ["dashboards/culvert-edge.json", "alerts/culvert-edge.yaml"]
    )
    func uses(file: String) throws {
        let text = try self.text(of: "helm/culvert-edge/\(file)")
        let names = Set(
            self.declared(EdgeMetrics().prometheusText()).flatMap { declaration in
                let parts = declaration.components(separatedBy: " | ")
                return parts[1] == "histogram" ? ["_bucket", "_sum", "_count"].map { parts[0] + $0 } : [parts[0]]
            }
        )
        let used = text.matches(of: /\b(culvert|process)_[a-z_]+\b/).map { String($0.output.0) }
        #expect(used.count > 8)
        for name in Set(used) { #expect(names.contains(name), "\(name)") }

        let page = try self.text(of: "docs/operations.md")
        for alert in text.matches(of: /alert: (\w+)/) {
            #expect(page.contains("| `\(alert.output.1)` |"), "\(alert.output.1)")
        }
        for anchor in text.matches(of: /operations\.md#([a-z-]+)/) {
            let title = anchor.output.1.replacing("-", with: " ")
            #expect(page.lowercased().contains("# \(title)\n"), "\(title)")
        }
    }

    @Test("Every metric that the page explains is on the dashboard")
    func dashboard() throws {
        let text = try self.text(of: "helm/culvert-edge/dashboards/culvert-edge.json")
        for declaration in self.declared(EdgeMetrics().prometheusText()) {
            let name = String(declaration.prefix { $0 != " " })
            #expect(text.contains(name), "\(name)")
        }
    }

    @Test("No two metrics have one family name in OpenMetrics, where a counter's is without _total")
    func families() {
        let names = self.declared(EdgeMetrics().prometheusText()).flatMap { declaration -> [String] in
            let parts = declaration.components(separatedBy: " | ")
            switch parts[1] {
            // OpenMetrics 1.0, "Counter" and "Histogram": the suffixes that samples of the family may have.
            case "counter": return ["", "_total", "_created"].map { parts[0].replacing(/_total$/, with: "") + $0 }
            case "histogram": return ["", "_bucket", "_sum", "_count", "_created"].map { parts[0] + $0 }
            default: return [parts[0]]
            }
        }
        #expect(Dictionary(grouping: names) { $0 }.filter { $0.value.count > 1 }.keys.sorted() == [])
    }

    @Test("Ten thousand tunnels make as many series as one")
    func cardinality() {
        let (one, many) = (EdgeMetrics(), EdgeMetrics())
        for (metrics, tunnels) in [(one, 1), (many, 10_000)] {
            for number in 0..<tunnels {
                metrics.sessionOpened()
                for error in [nil] + VisitorError.allCases.map(\.code) {
                    metrics.requestStarted()
                    metrics.requestFinished(self.entry(tunnel: "tunnel-\(number)", error: error))
                }
            }
        }
        let series = { (metrics: EdgeMetrics) in
            metrics.prometheusText().split(separator: "\n").filter { !$0.hasPrefix("#") }
                .map { $0.prefix { $0 != " " } }
        }
        #expect(series(many) == series(one))
        #expect(series(many).count < 250)
        #expect(!many.prometheusText().contains("tunnel-"))
    }

    @Test("The environment is a label of every sample")
    func environment() {
        let metrics = EdgeMetrics(environment: .production)
        metrics.requestStarted()
        metrics.requestFinished(self.entry(tunnel: "my-app", error: "tunnel_offline"))
        for line in metrics.prometheusText().split(separator: "\n") where !line.hasPrefix("#") {
            #expect(line.contains(#"environment="production"} "#), "\(line)")
        }
    }
}
