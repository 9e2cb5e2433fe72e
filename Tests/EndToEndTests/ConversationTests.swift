// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("Conversations", .serialized)
    struct Conversations {
        /// What `websocket_conversations.py` prints.
        struct Tally: Decodable {
            var conversations: Int
            var messages: Int
            var failures: [String]
        }

        /// What `event_latency.py` prints.
        struct Latency: Decodable {
            var events: Int
            var medianMilliseconds: Double
            var worstMilliseconds: Double

            enum CodingKeys: String, CodingKey {
                case events
                case medianMilliseconds = "median_ms"
                case worstMilliseconds = "worst_ms"
            }
        }

        @Test("200 WebSocket conversations at once echo messages from nothing to 1 MiB")
        func webSockets() async throws {
            let scratch = try ScratchFolder()
            let origin = try await SampleOrigin(in: scratch)
            let tunnel = try await TunnelFixture(originPort: origin.port, in: scratch)
            try await tunnel.waitUntilItAnswers()
            let start = ContinuousClock.now
            let peer = try RunningProcess(
                Programs.python,
                [Programs.peer("websocket_conversations.py"), tunnel.url(scheme: "ws") + "echo", "200"],
                in: scratch
            )
            let tally = try await decode(Tally.self, from: peer, within: .seconds(150))
            let peak = try tunnel.peakResidentKibibytes()
            print(
                "200 conversations: \(ContinuousClock.now - start), peak edge \(peak.edge), connector \(peak.connector) KiB"
            )
            #expect(tally.failures == [])
            #expect(tally.conversations == 200)
            #expect(tally.messages == 200 * 9)
        }

        @Test("WebSocket conversations that are held with traffic all stay")
        func heldConversations() async throws {
            let (count, seconds) = Programs.isFullSize ? (1_000, 60) : (200, 8)
            let scratch = try ScratchFolder()
            let origin = try await SampleOrigin(in: scratch)
            let tunnel = try await TunnelFixture(originPort: origin.port, in: scratch)
            try await tunnel.waitUntilItAnswers()
            let arguments = [tunnel.url(scheme: "ws") + "echo", "\(count)", "\(seconds)"]
            let peer = try RunningProcess.peer("minute_conversations.py", arguments, in: scratch)
            let tally = try await peer.decodedOutput(Tally.self, within: .seconds(300))
            print("\(tally.conversations) conversations held for \(seconds) s: \(tally.messages) messages")
            #expect(tally.failures == [])
            #expect(tally.conversations == count)
            #expect(tally.messages > count * seconds / 4)
        }

        @Test("After `Upgrade: anything` bytes pass both ways, and each side may finish first")
        func rawUpgrade() async throws {
            let scratch = try ScratchFolder()
            let port = try FreePort.next()
            let tunnel = try await TunnelFixture(originPort: port, in: scratch)
            let peer = try RunningProcess(
                Programs.python,
                [Programs.peer("raw_upgrade.py"), "\(port)", tunnel.url],
                in: scratch
            )
            #expect(try await peer.end(within: .seconds(150)) == .exited(0), "\(peer.transcript)")
        }

        @Test("A server-sent event is with the visitor within 50 ms of leaving the origin")
        func events() async throws {
            let scratch = try ScratchFolder()
            let port = try FreePort.next()
            let tunnel = try await TunnelFixture(originPort: port, in: scratch)
            let peer = try RunningProcess(
                Programs.python,
                [Programs.peer("event_latency.py"), "\(port)", tunnel.url],
                in: scratch
            )
            let latency = try await decode(Latency.self, from: peer, within: .seconds(60))
            print("events: median \(latency.medianMilliseconds) ms, worst \(latency.worstMilliseconds) ms")
            #expect(latency.events == 40)
            #expect(latency.worstMilliseconds <= 50)
        }

        private func decode<Value: Decodable>(
            _ type: Value.Type,
            from peer: RunningProcess,
            within limit: Duration
        ) async throws -> Value {
            let output = try await peer.successfulOutput(within: limit)
            return try JSONDecoder().decode(type, from: Data(output.utf8))
        }
    }
}
