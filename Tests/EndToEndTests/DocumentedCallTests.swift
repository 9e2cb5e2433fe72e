// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    /// The calls of the API that the documents show are made as they stand there.
    @Suite("Calls of the API in the documents")
    struct DocumentedCalls {
        /// The lines for a shell in a document that call curl.
        private static func calls(in document: String) throws -> [String] {
            let file = Programs.repository.appendingPathComponent(document)
            return try String(contentsOf: file, encoding: .utf8).components(separatedBy: "```sh\n").dropFirst()
                .map { $0.components(separatedBy: "\n```")[0] }.filter { $0.hasPrefix("curl ") }
        }

        @Test("Each is answered with success")
        func answered() async throws {
            let scratch = try ScratchFolder()
            let port = try FreePort.next()
            let edge = try await EdgeProcess(in: scratch, arguments: ["--dev", "--tcp-ports", "\(port)-\(port)"])
            let calls = try ["docs/api.md", "docs/tcp.md"].flatMap(Self.calls)
            #expect(calls.count >= 4)
            var token = ""
            for call in calls {
                let line = call.replacing(
                    "curl ",
                    with: "curl --silent --show-error --fail-with-body ",
                    maxReplacements: 1
                )
                .replacing(#/https?:\/\/(127\.0\.0\.1:8989|edge\.example\.com)/#, with: edge.url)
                .replacing("20017", with: "\(port)")
                let process = try RunningProcess(
                    "sh",
                    ["-c", line],
                    environment: ["CULVERT_API_KEY": edge.apiKey, "CULVERT_TOKEN": token],
                    in: scratch
                )
                let answer = try await process.successfulOutput(within: .seconds(20))
                let members = try JSONSerialization.jsonObject(with: Data(answer.utf8)) as? [String: Any]
                token = try #require(members?["token"] as? String, "\(call)\n\(answer)")
            }
        }
    }
}
