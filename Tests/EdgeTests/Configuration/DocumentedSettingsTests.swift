// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Edge

@Suite("Settings in the documents and the package")
struct DocumentedSettingsTests {
    private static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private static func text(of path: String) throws -> String {
        try String(contentsOf: self.repository.appendingPathComponent(path), encoding: .utf8)
    }

    /// What is wrong with settings, beside files that this machine does not have.
    private func problems(of text: String, _ arguments: [String] = []) -> [String] {
        var reader = SettingsReader(arguments: arguments, environment: [:], file: ("edge.yaml", text))
        _ = EdgeConfiguration(from: &reader)
        return reader.problems.map(\.description)
    }

    @Test("Each YAML example of the edge's settings in the documents is one that the edge takes")
    func examples() throws {
        let documents = try FileManager.default.contentsOfDirectory(atPath: Self.repository.path + "/docs").sorted()
            .filter { $0.hasSuffix(".md") }.map { "docs/\($0)" }
        let needed = [
            "--public-url", "https://tunnels.example.com", "--auth-api-keys-file", "a", "--auth-signing-keys-file", "s",
        ]
        var count = 0
        for document in ["README.md"] + documents {
            let blocks = try Self.text(of: document).components(separatedBy: "\n```yaml\n").dropFirst()
            for block in blocks.map({ $0.components(separatedBy: "\n```")[0] }) where !block.contains("tunnels:\n") {
                count += 1
                #expect(self.problems(of: block, needed) == [], "\(document):\n\(block)")
            }
        }
        #expect(count >= 4)
        #expect(self.problems(of: "colour: red\n", needed) != [])
    }

    @Test("The settings of the package are taken as they are, and with everything that is commented out in them")
    func package() throws {
        let text = try Self.text(of: "scripts/packaging/edge.yaml")
        #expect(self.problems(of: text) == [])
        let whole = text.replacing(/(?m)^( *)# ( *[a-z-]+:( [^ ].*)?)$/) { "\($0.output.1)\($0.output.2)" }
        #expect(whole.contains("\ntls:\n  certificate: ") && whole.contains("\n  wildcard-domain: "))
        #expect(self.problems(of: whole) == [])
    }
}
