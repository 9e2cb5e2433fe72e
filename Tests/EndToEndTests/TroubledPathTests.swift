// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import Testing

extension EndToEnd {
    /// A connector whose way to the edge leads over a relay that the test owns.
    @Suite("A path in trouble", .serialized)
    struct APathInTrouble {
        /// An edge, a relay in front of it and a connector that knows only the relay.
        private final class Place {
            let edge: EdgeProcess
            let path: TroubledPath
            let connector: RunningProcess
            let url: String

            init(_ scratch: ScratchFolder, edgeArguments: [String] = ["--dev"]) async throws {
                let origin = try await NginxOrigin(in: scratch)
                self.origin = origin
                self.edge = try await EdgeProcess(in: scratch, arguments: edgeArguments)
                self.path = try await TroubledPath(to: self.edge.port)
                self.connector = try RunningProcess(
                    Programs.product("culvert"),
                    ["http", "\(origin.port)", "--edge", "http://127.0.0.1:\(self.path.port)", "--log-format", "json"],
                    environment: ["CULVERT_API_KEY": self.edge.apiKey],
                    in: scratch
                )
                let printed = try await self.connector.line(startingWith: "http")
                // Visitors come the direct way: only the connector's path is in trouble.
                self.url = "\(self.edge.url)/\(TunnelFixture.id(inURL: printed))/saw/"
                try await self.waitUntilItAnswers("at the start", in: scratch)
                let edge = self.edge
                try await eventually("both connections") {
                    try await edge.metric("culvert_active_sessions", in: scratch) == 2 ? () : nil
                }
            }

            private let origin: NginxOrigin

            /// Waits for an answer of the origin, and says how long that took.
            @discardableResult
            func waitUntilItAnswers(
                _ when: String,
                within limit: Duration = .seconds(60),
                in scratch: ScratchFolder
            ) async throws -> Duration {
                let start = ContinuousClock.now
                do {
                    try await eventually("an answer \(when)", within: limit) {
                        try await Curl.get(self.url, ["--max-time", "10"], in: scratch).status == 200 ? () : nil
                    }
                } catch let failure as HarnessFailure {
                    throw HarnessFailure("\(failure)\n\(self.edge.process.transcript)\n\(self.connector.transcript)")
                }
                return .now - start
            }

            /// How often the connector's log says something.
            func count(_ text: String) -> Int {
                self.connector.standardError.components(separatedBy: text).count - 1
            }
        }

        @Test("A path that is frozen for a few seconds is as it was within a second of thawing, with the same sessions")
        func shortFreeze() async throws {
            let scratch = try ScratchFolder()
            let place = try await Place(scratch)
            let sessions = try await place.edge.metric("culvert_sessions_total", in: scratch)
            try await place.path.become(.frozen)
            let waiting = try RunningProcess(
                "curl",
                ["--silent", "--fail", "--max-time", "30", place.url],
                in: scratch
            )
            try await Task.sleep(for: .seconds(4))
            #expect(waiting.isRunning)
            let start = ContinuousClock.now
            try await place.path.become(.passing)
            #expect(try await waiting.end() == .exited(0))
            let duration = ContinuousClock.now - start
            print("frozen for 4 s: the request that waited was answered \(duration) after thawing")
            #expect(duration < .seconds(1))
            #expect(try await place.edge.metric("culvert_sessions_total", in: scratch) == sessions)
        }

        @Test("A path that stays frozen is noticed at both ends within 35 s, and the connector is back when it thaws")
        func longFreeze() async throws {
            let scratch = try ScratchFolder()
            let place = try await Place(scratch)
            let start = ContinuousClock.now
            try await place.path.become(.frozen)
            try await eventually("the edge notices", within: .seconds(60)) {
                try await place.edge.metric("culvert_active_sessions", in: scratch) == 0 ? () : nil
            }
            let atTheEdge = ContinuousClock.now - start
            try await eventually("the connector notices", within: .seconds(60)) {
                place.count("\"suspended\"") >= 2 ? () : nil
            }
            let atTheConnector = ContinuousClock.now - start
            try await place.path.become(.passing)
            let back = try await place.waitUntilItAnswers("after thawing", in: scratch)
            print(
                "frozen: noticed by the edge after \(atTheEdge), by the connector after \(atTheConnector), back \(back)"
            )
            #expect(atTheEdge < .seconds(35))
            #expect(atTheConnector < .seconds(35))
            #expect(back < .seconds(5))
        }

        @Test("When the machine's addresses change, a dead path is noticed in seconds rather than half a minute")
        func addressChange() async throws {
            // An address for documentation (RFC 5737), of no use to anybody.
            func ip(_ verb: String, _ scratch: ScratchFolder) async throws -> ChildProcess.End {
                try await RunningProcess("ip", ["addr", verb, "192.0.2.78/32", "dev", "lo"], in: scratch).end()
            }
            let scratch = try ScratchFolder()
            guard try await ip("add", scratch) == .exited(0) else {
                print("Not run: the addresses of this machine can't be changed")
                return
            }
            _ = try await ip("del", scratch)
            let place = try await Place(scratch)
            try await place.path.become(.oldFrozen)
            let start = ContinuousClock.now
            #expect(try await ip("add", scratch) == .exited(0))
            do {
                try await eventually("both sessions over other connections", within: .seconds(25)) {
                    try await place.edge.metric("culvert_sessions_resumed_total", in: scratch) >= 2 ? () : nil
                }
            } catch {
                _ = try await ip("del", scratch)
                throw error
            }
            let duration = ContinuousClock.now - start
            _ = try await ip("del", scratch)
            print("after a change of address, both sessions went on within \(duration)")
            #expect(duration < .seconds(5))
            try await place.waitUntilItAnswers("on the new connections", in: scratch)
        }

        /// One kind of trouble.
        private enum Trouble: String, CaseIterable {
            case brokenConnections, frozenPath, slowPath, refusedConnections, frozenEdge, killedEdge

            func happen(to place: Place, seconds: Double) async throws {
                let pause = Duration.seconds(seconds)
                switch self {
                case .brokenConnections:
                    try await place.path.breakConnections()
                case .frozenPath:
                    try await place.path.become(.frozen)
                    try await Task.sleep(for: pause)
                    try await place.path.become(.passing)
                case .slowPath:
                    try await place.path.become(.delaying(.milliseconds(Int64(seconds * 150))))
                    try await Task.sleep(for: pause)
                    try await place.path.become(.passing)
                case .refusedConnections:
                    try await place.path.refuse()
                    try await Task.sleep(for: pause)
                    try await place.path.accept()
                case .frozenEdge:
                    place.edge.process.send(signal: SIGSTOP)
                    try await Task.sleep(for: pause)
                    place.edge.process.send(signal: SIGCONT)
                case .killedEdge:
                    try await place.edge.crash()
                    try await Task.sleep(for: pause / 2)
                    try await place.edge.restart()
                }
            }
        }

        @Test(
            "Whatever happens to the path and the edge, it always comes back, and nothing grows",
            .timeLimit(.minutes(60))
        )
        func chaos() async throws {
            let rounds = Programs.isFullSize ? 200 : 15
            let seed = UInt64.random(in: 1...(.max))
            print("trouble: \(rounds) rounds, seed \(seed)")
            var random = Repeatable(seed: seed)
            let scratch = try ScratchFolder()
            let place = try await Place(scratch, edgeArguments: ["--dev", "--tunnel-heartbeat-interval", "2s"])
            let kinds = Trouble.allCases
            // What the first of each kind makes the program load stays loaded.
            var before: ProcessFigures?
            var times: [Duration] = []
            var worst = (duration: Duration.zero, what: "")
            for round in 0..<rounds {
                if round == min(rounds / 2, 20) { before = try await self.settledFigures(place, in: scratch) }
                // Each kind in turn at first, so that a short run has them all.
                let kind = round < kinds.count ? kinds[round] : kinds[Int.random(in: kinds.indices, using: &random)]
                try await kind.happen(to: place, seconds: Double.random(in: 0.3...2, using: &random))
                let duration = try await place.waitUntilItAnswers("round \(round), \(kind), seed \(seed)", in: scratch)
                times.append(duration)
                if duration > worst.duration { worst = (duration, "\(kind) in round \(round)") }
                #expect(place.connector.isRunning)
            }
            let after = try await self.settledFigures(place, in: scratch)
            let started = try #require(before)
            times.sort()
            print(
                "trouble: back after \(times[times.count / 2]) in the middle, \(times[times.count * 9 / 10]) in nine of"
                    + " ten, \(worst.duration) at worst (\(worst.what)); connector \(started) before, \(after) after"
            )
            // A connection to the origin that is kept for a moment, a thread that looks names up: a few, not one a round.
            #expect(after.threads <= started.threads + 2)
            #expect(after.openFiles <= started.openFiles + 4)
            #expect(after.residentKibibytes <= started.residentKibibytes + (8 << 10))
        }

        /// What the connector holds once both its connections are there again and nothing else is.
        private func settledFigures(_ place: Place, in scratch: ScratchFolder) async throws -> ProcessFigures {
            try await eventually("both connections", within: .seconds(60)) {
                let sessions = try await place.edge.metric("culvert_active_sessions", in: scratch)
                return try await place.path.connectionCount() == 2 && sessions == 2 ? () : nil
            }
            return try place.connector.figures()
        }
    }
}

/// Random numbers that can be had again from their seed.
struct Repeatable: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        // SplitMix64.
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
