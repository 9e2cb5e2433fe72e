// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import NIOPosix
import Protocol
import Testing

@testable import Edge
@testable import EdgeLinks
@testable import EdgeTunnels

@Suite("Figures")
struct FiguresTests {
    @Test("What a session does is counted by its changes, and is taken back when it ends")
    func sessions() {
        let metrics = EdgeMetrics()
        metrics.sessionChanged(from: SessionFigures(), to: SessionFigures(streams: 3, stalls: 1))
        metrics.sessionChanged(from: SessionFigures(), to: SessionFigures(streams: 2, stalls: 4))
        metrics.sessionChanged(from: SessionFigures(streams: 3, stalls: 1), to: SessionFigures(streams: 0, stalls: 2))
        #expect(metrics.prometheusText().contains("\nculvert_streams 2\n"))
        #expect(metrics.prometheusText().contains("\nculvert_window_stalls_total 6\n"))
    }

    @Test("A link is counted by how it does, and what another edge makes up is no series of its own")
    func links() {
        let metrics = EdgeMetrics()
        func shows(_ line: String) -> Bool { metrics.prometheusText().contains("\n\(line)\n") }
        for (old, new) in [(nil, .ready), (nil, .ready), (.ready, .silent), (.silent, .over)] as [States] {
            metrics.links.linkChanged(from: old, to: new)
        }
        #expect(shows(#"culvert_links{state="ready"} 1"#) && shows(#"culvert_links{state="silent"} 0"#))
        #expect(shows(#"culvert_links{state="ending"} 1"#))
        metrics.links.linkChanged(from: .over, to: nil)
        #expect(shows(#"culvert_links{state="ending"} 0"#))
        metrics.links.linkStreamsChanged(from: LinkFigures(), to: LinkFigures(outgoing: 3, incoming: 2))
        metrics.links.linkStreamsChanged(from: LinkFigures(outgoing: 3, incoming: 2), to: LinkFigures(incoming: 2))
        #expect(shows(#"culvert_active_link_streams{direction="out"} 0"#))
        #expect(shows(#"culvert_active_link_streams{direction="in"} 2"#))
        for code in [.draining, ErrorCode(rawValue: 0x8000_0001), .internalError] as [ErrorCode] {
            metrics.links.streamRejected(code)
        }
        #expect(shows(#"culvert_link_rejects_total{code="DRAINING"} 1"#))
        #expect(shows(#"culvert_link_rejects_total{code="INTERNAL_ERROR"} 2"#))
    }

    private typealias States = (LinkReach.State?, LinkReach.State?)

    @Test("The process is read from /proc, whatever its name")
    func process() throws {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 9 0 100 1000000 256 18446744073709551615"
        let figures = try #require(
            ProcessFigures(stat: stat, openFiles: 3, pageSize: 4096, ticksPerSecond: 100)
        )
        #expect(figures.cpuSeconds == 2)
        #expect(figures.threads == 9)
        #expect(figures.residentBytes == 256 * 4096)
        #expect(ProcessFigures(stat: "7 (a", openFiles: 0, pageSize: 1, ticksPerSecond: 1) == nil)
    }

    @Test("An event loop that is blocked shows in the lag")
    func lag() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let metrics = EdgeMetrics()
        let meter = LoopLagMeter(group, metrics: metrics)
        try await group.next().submit { Thread.sleep(forTimeInterval: 0.6) }.get()
        func count(_ series: String) -> Int {
            let name = "culvert_event_loop_lag_seconds_\(series) "
            let line = metrics.prometheusText().split(separator: "\n").first { $0.hasPrefix(name) }
            return line.flatMap { Int($0.dropFirst(name.count)) } ?? 0
        }
        let deadline = ContinuousClock.now + .seconds(10)
        while count("count") == count("bucket{le=\"0.25\"}") {
            guard ContinuousClock.now < deadline else {
                Issue.record("no lag was seen")
                break
            }
            try await Task.sleep(for: .milliseconds(10))
        }
        meter.cancel()
        try await group.shutdownGracefully()
    }
}
