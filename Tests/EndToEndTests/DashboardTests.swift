// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("The edge's dashboard", .serialized)
    struct Dashboard {
        @Test(
            "In Chromium who has a key signs in, looks after tunnels and inboxes, and no other site, port or key gets at them"
        )
        func scenes() async throws {
            let scratch = try ScratchFolder()
            let programs = URL(fileURLWithPath: try Programs.product("culvert")).deletingLastPathComponent()
            let peer = try RunningProcess(
                Programs.python,
                ["-B", Programs.peer("dashboard.py"), programs.path],
                environment: Programs.sizeVariables,
                in: scratch
            )
            let tally = try await peer.decodedOutput(InspectorPage.Tally.self, within: .seconds(300))
            for (scene, failure) in tally.failures { Issue.record("\(scene): \(failure)") }
            #expect(tally.scenes.count == 6)
        }

        @Test("The page has no way to turn text into markup or code, and asks nothing of other hosts")
        func files() throws {
            let page = Programs.repository.appendingPathComponent("Sources/Edge/Control/Dashboard/Page")
            let files = try FileManager.default.contentsOfDirectory(at: page, includingPropertiesForKeys: nil)
            #expect(files.count > 8)
            let forbidden = [
                "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "srcdoc", "DOMParser", "eval(",
                "new Function", "setAttribute('style'", "setAttribute('on", "<style", "style=\"", "onclick", "//cdn",
                "@import", "localStorage",
            ]
            for file in files {
                let text = try String(contentsOf: file, encoding: .utf8)
                for word in forbidden { #expect(!text.contains(word), "\(file.lastPathComponent) has \(word)") }
                #expect(text.contains("SPDX-License-Identifier: Apache-2.0"), "\(file.lastPathComponent)")
            }
        }
    }
}
