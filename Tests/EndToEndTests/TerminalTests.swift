// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("At a terminal", .serialized)
    struct Terminal {
        /// What `terminal` prints.
        struct Tally: Decodable {
            /// How many screens each scene took.
            var scenes: [String: Int]
            /// What differed or went wrong, by the scene.
            var failures: [String: String]
        }

        @Test("http, connect, start, tunnels, login and diagnose show the screens that were kept, errors included")
        func keptScreens() async throws {
            let scratch = try ScratchFolder()
            let programs = URL(fileURLWithPath: try Programs.product("culvert")).deletingLastPathComponent()
            let screens = Programs.repository.appendingPathComponent("Tests/EndToEndTests/Screens")
            let peer = try RunningProcess.peer("terminal", [programs.path, screens.path], in: scratch)
            let tally = try await peer.decodedOutput(Tally.self, within: .seconds(300))
            let counts = tally.scenes.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
            print("screens compared: \(counts.joined(separator: ", "))")
            for (scene, failure) in tally.failures { Issue.record("\(scene): \(failure)") }
            // A scene that is played no more must not leave its screens behind.
            let kept = try FileManager.default.contentsOfDirectory(atPath: screens.path)
            #expect(Set(kept) == Set(tally.scenes.keys.map { "\($0).txt" }))
        }
    }
}
