// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    /// Three edges behind nginx, and what befalls them: each case is a mode of `Peers/several_edges`.
    @Suite("Trouble among several edges", .serialized)
    struct ClusterTroubleTests {
        /// What every mode prints.
        private struct Outcome: Decodable {
            var failures: [String]
            var requests: Int?
        }

        private func run(_ mode: String, _ numbers: [Int] = [], within limit: Duration) async throws -> Outcome {
            let scratch = try ScratchFolder()
            let peer = try RunningProcess.peer(
                "several_edges",
                mode: mode,
                numbers,
                environment: Programs.sizeVariables,
                in: scratch
            )
            let outcome = try await peer.decodedOutput(Outcome.self, within: limit)
            print("Several edges, \(mode) \(numbers): \(peer.standardOutput)")
            return outcome
        }

        @Test(
            "All edges are replaced, one after another, under load: no request fails, and conversations of others go on",
            arguments: Programs.isFullSize ? [false, true] : [false]
        )
        func rolling(isBehindTraefik: Bool) async throws {
            let (rounds, rate) = Programs.isFullSize ? (3, 200) : (1, 40)
            let arguments = [rounds, rate] + (isBehindTraefik ? [1] : [])
            let outcome = try await self.run("rolling", arguments, within: .seconds(300))
            #expect(outcome.failures == [])
            #expect(try #require(outcome.requests) > 5 * rate)
        }

        @Test(
            "An edge with a session is killed: others serve at once by another session, or when the connector is back",
            arguments: [2, 1]
        )
        func killed(connections: Int) async throws {
            #expect(try await self.run("killed", [connections, 50], within: .seconds(120)).failures == [])
        }

        @Test("An edge with a connection of each connector is frozen: within six seconds requests go to the other one")
        func frozen() async throws {
            let seconds = Programs.isFullSize ? 20 : 8
            #expect(try await self.run("frozen", [2, 40, seconds], within: .seconds(180)).failures == [])
        }

        @Test(
            "An edge is frozen while nobody asks for anything: whoever comes after its lease is served by another one"
        )
        func asleep() async throws {
            #expect(try await self.run("asleep", [Programs.isFullSize ? 10 : 3], within: .seconds(120)).failures == [])
        }

        @Test(
            "An edge comes beside one that has both connections of a connector: it soon has one, and no request fails"
        )
        func newcomer() async throws {
            #expect(try await self.run("newcomer", [40], within: .seconds(120)).failures == [])
        }

        @Test("Redis is killed, frozen, emptied: what is online is served, and all is told again")
        func outage() async throws {
            let (seconds, rate) = Programs.isFullSize ? (30, 100) : (5, 30)
            #expect(try await self.run("outage", [seconds, rate], within: .seconds(400)).failures == [])
        }

        @Test(
            "One edge does not reach Redis, or neither Redis nor the others: it serves what is connected to it, and what was deleted goes",
            arguments: [0, 1]
        )
        func parted(fromPeers: Int) async throws {
            let seconds = Programs.isFullSize ? 10 : 2
            #expect(try await self.run("parted", [seconds, fromPeers], within: .seconds(150)).failures == [])
        }

        @Test(
            "Redis fails over to a replica: nothing fails, and names are taken again",
            .enabled(if: Programs.isFullSize)
        )
        func sentinel() async throws {
            #expect(try await self.run("sentinel", [60], within: .seconds(120)).failures == [])
        }

        @Test(
            "A tunnel deleted and a policy tightened elsewhere count at all edges, also after a restart of everything"
        )
        func deleted() async throws {
            #expect(try await self.run("deleted", within: .seconds(120)).failures == [])
        }

        @Test("Of two owners who race for a name at three edges one gets it, each time")
        func names() async throws {
            let rounds = Programs.isFullSize ? 1_000 : 30
            #expect(try await self.run("names", [rounds], within: .seconds(400)).failures == [])
        }

        @Test("Access ended at one edge cuts visitors of all off within a second, and stays ended after a restart")
        func access() async throws {
            #expect(try await self.run("access", within: .seconds(120)).failures == [])
        }

        @Test("Of three edges that are shown a one-time code at once one takes it")
        func codes() async throws {
            #expect(try await self.run("codes", within: .seconds(60)).failures == [])
        }

        @Test("Wrong keys and wrong passwords count over three edges, and right ones ask nobody")
        func guesses() async throws {
            #expect(try await self.run("guesses", within: .seconds(120)).failures == [])
        }

        @Test("A tunnel of TLS is reached at three edges, whichever its connector is at")
        func tls() async throws {
            #expect(try await self.run("tls", within: .seconds(120)).failures == [])
        }

        @Test(
            "More edges come beside a few: connectors are dealt out anew, and no request fails",
            .enabled(if: Programs.isFullSize),
            arguments: [[40, 40], [300, 40, 3, 6]]
        )
        func rebalance(numbers: [Int]) async throws {
            #expect(try await self.run("rebalance", numbers, within: .seconds(700)).failures == [])
        }

        @Test("A port is one tunnel's at three edges, and leads to it at each, whichever its connector is at")
        func ports() async throws {
            #expect(try await self.run("ports", within: .seconds(120)).failures == [])
        }

        @Test("A connector stops behind another edge: what may be sent twice goes to one that is well")
        func stuck() async throws {
            #expect(try await self.run("stuck", [20, 16], within: .seconds(120)).failures == [])
        }

        @Test("Tokens that are wrong, expired or stolen open no link, and are logged and counted")
        func strangers() async throws {
            #expect(try await self.run("strangers", within: .seconds(60)).failures == [])
        }

        @Test("A slow way between edges costs a round trip")
        func slow() async throws {
            let count = Programs.isFullSize ? 100 : 60
            #expect(try await self.run("slow", [count], within: .seconds(300)).failures == [])
        }

        @Test("A way between edges that drops everything is left for another session")
        func cut() async throws {
            #expect(try await self.run("cut", within: .seconds(120)).failures == [])
        }

        /// `EARLIER_EDGE` names the program of an earlier release, if one is at hand.
        @Test("An edge that has no links, and perhaps one of an earlier version, are beside others: no request fails")
        func mixed() async throws {
            #expect(try await self.run("mixed", [20], within: .seconds(120)).failures == [])
        }

        @Test("Large bodies both ways between edges arrive whole at slow readers, and no edge has 64 MiB resident")
        func large() async throws {
            let mebibytes = Programs.isFullSize ? 1_024 : 16
            #expect(try await self.run("large", [mebibytes], within: .seconds(400)).failures == [])
        }

        @Test("A hundred edges that have nothing to do cost the registry little", .enabled(if: Programs.isFullSize))
        func beats() async throws {
            #expect(try await self.run("beats", [100, 40], within: .seconds(400)).failures == [])
        }

        @Test("A connector is let in within milliseconds, also while Redis is killed or frozen")
        func admission() async throws {
            let count = Programs.isFullSize ? 200 : 10
            #expect(try await self.run("admission", [count], within: .seconds(200)).failures == [])
        }

        @Test("An edge that is asked for more tunnels of others than it remembers forgets some, and serves on")
        func guests() async throws {
            let count = Programs.isFullSize ? 80_000 : 2_000
            #expect(try await self.run("guests", [count], within: .seconds(400)).failures == [])
        }

        @Test("Visitors who guess ids cost the registry little and the edge no memory, and are refused soon")
        func guessed() async throws {
            #expect(try await self.run("guessed", [Programs.isFullSize ? 10 : 2], within: .seconds(120)).failures == [])
        }

        @Test("A registry that comes back empty is told of all tunnels of an edge within seconds")
        func resync() async throws {
            let count = Programs.isFullSize ? 10_000 : 200
            #expect(try await self.run("resync", [count], within: .seconds(400)).failures == [])
        }

        @Test("Three edges keep a tunnel's fifty requests a second and a key's ten calls together")
        func limits() async throws {
            let seconds = Programs.isFullSize ? 10 : 4
            #expect(try await self.run("limits", [seconds], within: .seconds(180)).failures == [])
        }
    }
}
