// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("The inspector's page", .serialized)
    struct InspectorPage {
        /// What `inspector` prints.
        struct Tally: Decodable {
            var scenes: [String]
            /// What went wrong, by the scene.
            var failures: [String: String]
            var figures: [String: Double]
        }

        static let page = Programs.repository.appendingPathComponent("Sources/Connector/Main/Inspector/Page")

        @Test(
            "In Chromium the page finds, shows, repeats and compares exchanges, and keeps its Content-Security-Policy"
        )
        func scenes() async throws {
            let played = try await Self.play(["page", Self.page.path])
            #expect(played == 24)
        }

        @Test("The page that culvert serves shows real traffic, and no other site, port or name gets at it")
        func program() async throws {
            let programs = URL(fileURLWithPath: try Programs.product("culvert")).deletingLastPathComponent()
            let played = try await Self.play(["program", programs.path])
            #expect(played == (Programs.isFullSize ? 31 : 23))
        }

        /// Plays scenes and records what fails; gives how many were played.
        private static func play(_ arguments: [String]) async throws -> Int {
            let scratch = try ScratchFolder()
            let peer = try RunningProcess(
                Programs.python,
                ["-B", Programs.peer("inspector")] + arguments,
                environment: Programs.sizeVariables,
                in: scratch
            )
            let tally = try await peer.decodedOutput(Tally.self, within: .seconds(400))
            print("scenes: \(tally.scenes.joined(separator: ", "))")
            for (name, figure) in tally.figures.sorted(by: { $0.key < $1.key }) { print("\(name): \(figure)") }
            for (scene, failure) in tally.failures { Issue.record("\(scene): \(failure)") }
            return tally.scenes.count
        }

        @Test("The page has no way to turn text into markup or code, and asks nothing of other hosts")
        func files() throws {
            let files = try FileManager.default.contentsOfDirectory(at: Self.page, includingPropertiesForKeys: nil)
            #expect(files.count > 20)
            let forbidden = [
                "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "srcdoc", "DOMParser", "eval(",
                "new Function",
                "setAttribute('style'", "setAttribute('on", "<style", "style=\"", "onclick", "onerror=", "//cdn",
                "@import",
            ]
            for file in files {
                let text = try String(contentsOf: file, encoding: .utf8)
                for word in forbidden {
                    #expect(!text.contains(word), "\(file.lastPathComponent) has \(word)")
                }
                #expect(text.contains("SPDX-License-Identifier: Apache-2.0"), "\(file.lastPathComponent)")
                #expect(text.split(separator: "\n").count < 500, "\(file.lastPathComponent)")
            }
        }
    }
}
