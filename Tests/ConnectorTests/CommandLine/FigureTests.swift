// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@Suite("The figures of the README")
struct FigureTests {
    private static func text(of path: String) throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }

    /// A run of `scripts/bench`, as its history keeps it.
    private struct Run: Decodable {
        var time: TimeInterval
        var medians: [String: [String: [String: Double]]]
        var extra: [String: Double]

        /// What the README says of such a run.
        var sentences: [String] {
            get throws {
                func figure(_ load: String, _ row: String, _ name: String) throws -> Double {
                    try #require(self.medians[load]?[row]?[name], "\(load), \(row), \(name)")
                }
                func rounded(_ value: Double, to step: Double) -> String {
                    let whole = Int((value / step).rounded() * step)
                    return whole < 1_000
                        ? "\(whole)" : "\(whole / 1_000) \(String("\(1_000 + whole % 1_000)".dropFirst()))"
                }
                let (single, many, down) = ("small, 1 connection", "small, 64 connections", "1 GiB down")
                let added = try figure(single, "culvert", "p50_ms") - figure(single, "direct", "p50_ms")
                let requests = try ["culvert", "two nginx"].map { rounded(try figure(many, $0, "per_second"), to: 100) }
                let bytes = try ["culvert", "two nginx"].map {
                    rounded(try figure(down, $0, "megabytes_per_second"), to: 1)
                }
                return [
                    "| \(rounded(added * 1_000, to: 10)) µs over the origin alone |",
                    "| \(requests[0]) a second; two nginx in a row: \(requests[1]) |",
                    "| \(bytes[0]) MB/s; two nginx in a row: \(bytes[1]) MB/s |",
                    "| \(rounded(try #require(self.extra["tunnel_kib"]), to: 1)) KiB |",
                ]
            }
        }
    }

    @Test("They are those of one whole run of the benchmark, on the day that is named")
    func run() throws {
        let readme = try Self.text(of: "README.md")
        let runs = try Self.text(of: "Benchmarks/HTTP/history.jsonl").split(separator: "\n").compactMap {
            try? JSONDecoder().decode(Run.self, from: Data($0.utf8))
        }
        let shown = try runs.filter { run in try run.sentences.allSatisfy(readme.contains) }
        let run = try #require(shown.first, "no run has these figures")
        let day = DateFormatter()
        day.locale = Locale(identifier: "en_GB")
        day.timeZone = TimeZone(identifier: "UTC")
        day.dateFormat = "d MMMM yyyy"
        #expect(readme.contains("`scripts/bench` of \(day.string(from: Date(timeIntervalSince1970: run.time)))"))
    }
}
