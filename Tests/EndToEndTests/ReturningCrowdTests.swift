// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("A crowd returns", .serialized)
    struct ReturningCrowd {
        private static let programs = Programs.isFullSize ? 5 : 1
        private static let tunnelsOfEach = 100

        @Test("After a restart of the edge its connectors (500 in the long tier) are spread, and all back within 30 s")
        func afterRestart() async throws {
            let scratch = try ScratchFolder()
            let edge = try await Self.roomyEdge(in: scratch)
            let connectors = try (0..<Self.programs).map { number in
                try Self.connector(number, shares: false, to: edge, in: scratch)
            }
            let all = Double(Self.programs * Self.tunnelsOfEach)
            try await eventually("all connectors", within: .seconds(120)) {
                try await edge.metric("culvert_active_sessions", in: scratch) == all ? () : nil
            }
            let memory = try connectors.map { try $0.figures().residentKibibytes / 1024 }
            print("crowd: \(Int(all)) tunnels in \(Self.programs) programs of \(memory) MiB")

            try await edge.crash()
            try await Task.sleep(for: .seconds(1))
            try await edge.restart()
            let ready = ContinuousClock.now
            var first: Duration?
            var half: Duration?
            try await eventually("all connectors again", within: .seconds(90)) {
                let back = try await edge.metric("culvert_active_sessions", in: scratch)
                let elapsed = ContinuousClock.now - ready
                if back > 0, first == nil { first = elapsed }
                if back >= all / 2, half == nil { half = elapsed }
                return back == all ? () : nil
            }
            let last = ContinuousClock.now - ready
            let putOff = try await edge.metric("culvert_connectors_put_off_total", in: scratch)
            let processor = try edge.process.processorTime()
            print(
                "crowd: first back \(first ?? .zero), half \(half ?? .zero), all \(last) after the edge;"
                    + " \(Int(putOff)) times put off; the edge's processor time, its start included, \(processor)"
            )
            if Programs.isFullSize { #expect(last - (first ?? last) >= .seconds(5)) }
            #expect(last <= .seconds(30))
            #expect(connectors.filter(\.isRunning).count == Self.programs)
        }

        @Test("A hundred tunnels that share connections are back within 5 s of a restart, over one of each program")
        func sharing() async throws {
            let scratch = try ScratchFolder()
            let edge = try await Self.roomyEdge(in: scratch)
            let connector = try Self.connector(0, shares: true, to: edge, in: scratch)
            let all = Double(Self.tunnelsOfEach)
            try await eventually("all tunnels", within: .seconds(60)) {
                try await edge.metric("culvert_active_sessions", in: scratch) == all ? () : nil
            }
            try await Self.expectOneConnection(of: connector)
            try await edge.crash()
            try await Task.sleep(for: .seconds(1))
            try await edge.restart()
            let ready = ContinuousClock.now
            try await eventually("all tunnels again", within: .seconds(60)) {
                try await edge.metric("culvert_active_sessions", in: scratch) == all ? () : nil
            }
            print(
                "crowd: \(Int(all)) tunnels over one connection, all back \(ContinuousClock.now - ready) after the edge"
            )
            #expect(ContinuousClock.now - ready <= .seconds(5))
            try await Self.expectOneConnection(of: connector)
            #expect(connector.isRunning)
        }

        @Test("A program makes its hundred tunnels over a few connections at a time")
        func making() async throws {
            let scratch = try ScratchFolder()
            let edge = try await Self.roomyEdge(in: scratch)
            let connector = try Self.connector(0, shares: true, to: edge, in: scratch)
            var most = 0
            try await eventually("all tunnels", within: .seconds(60)) {
                most = max(most, try connector.connectionCount())
                return try await edge.metric("culvert_active_sessions", in: scratch) == Double(Self.tunnelsOfEach)
                    ? () : nil
            }
            // Sixteen calls, and what is just being closed.
            #expect(most <= 40)
        }

        private static func expectOneConnection(of connector: RunningProcess) async throws {
            // Calls of the control API are over in a moment.
            try await eventually("a single connection", within: .seconds(10)) {
                try connector.connectionCount() == 1 ? () : nil
            }
        }

        /// An edge that lets one key have and make as many tunnels as it likes.
        private static func roomyEdge(in scratch: ScratchFolder) async throws -> EdgeProcess {
            try await EdgeProcess(
                in: scratch,
                arguments: [
                    "--dev", "--limits-tunnels-per-key", "1000", "--limits-creations-per-hour", "1000000",
                    "--limits-api-calls-per-second", "1000000",
                ]
            )
        }

        private static func connector(
            _ number: Int,
            shares: Bool,
            to edge: EdgeProcess,
            in scratch: ScratchFolder
        ) throws -> RunningProcess {
            var lines = ["connections: 1", "share-connections: \(shares ? "on" : "off")", "tunnels:"]
            lines += (0..<Self.tunnelsOfEach).map { "  - {name: t-\(number)-\($0), target: 9}" }
            let file = scratch.file("tunnels-\(number).yaml")
            try Data(lines.joined(separator: "\n").utf8).write(to: file)
            return try RunningProcess(
                Programs.product("culvert"),
                ["start", "--config", file.path, "--edge", edge.url],
                environment: ["CULVERT_API_KEY": edge.apiKey],
                in: scratch
            )
        }
    }
}
