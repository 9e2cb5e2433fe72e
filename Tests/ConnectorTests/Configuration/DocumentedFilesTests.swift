// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Connector

@Suite("Files of tunnels in the README and the documents")
struct DocumentedFilesTests {
    @Test("Each is one that culvert takes")
    func examples() throws {
        let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let documents = try FileManager.default.contentsOfDirectory(atPath: repository.path + "/docs").sorted()
            .filter { $0.hasSuffix(".md") }.map { "docs/\($0)" }
        // What the examples name beside themselves.
        let folder = try TemporaryFolder()
        try folder.write("a-key", to: "key")
        try folder.write(TokenText.signed(#"{"sub":"my-other"}"#), to: "token")
        try folder.write("a long password", to: "guest-password")
        try folder.write("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", to: "stripe-secret")
        try folder.writeCertificate(to: "origin.pem")
        var count = 0
        for document in ["README.md"] + documents {
            let text = try String(contentsOf: repository.appendingPathComponent(document), encoding: .utf8)
            let blocks = text.components(separatedBy: "\n```yaml\n").dropFirst()
            for block in blocks.map({ $0.components(separatedBy: "\n```")[0] }) where block.contains("tunnels:\n") {
                count += 1
                #expect(throws: Never.self, "\(document):\n\(block)") {
                    _ = try TunnelsFile(yaml: block, folder: folder.path)
                }
            }
        }
        #expect(count >= 4)
    }
}
