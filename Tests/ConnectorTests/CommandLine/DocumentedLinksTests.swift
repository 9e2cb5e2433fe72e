// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@Suite("Links in the README and the documents")
struct DocumentedLinksTests {
    private static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// What the tarball of a release has beside the programs, as `scripts/lib/release_files.py` names it.
    private static func released() throws -> [String] {
        let script = try String(
            contentsOf: self.repository.appending(path: "scripts/lib/release_files.py"),
            encoding: .utf8
        )
        let list = try #require(script.firstMatch(of: #/\nDOCUMENTS = \(([^)]*)\)/#))
        return list.1.matches(of: #/"([^"]+)"/#).map { String($0.1) }
    }

    /// The files that a document leads to, from the top of the repository.
    private static func links(of document: String) throws -> [String] {
        let text = try String(contentsOf: self.repository.appending(path: document), encoding: .utf8)
        let folder = (document as NSString).deletingLastPathComponent
        return text.matches(of: #/\]\(([^)\s#]+)(#[^)\s]*)?\)/#).map { String($0.1) }
            .filter { !$0.contains(":") && !$0.hasPrefix("/") }
            .map { link in
                let path = URL(fileURLWithPath: "/" + folder).appending(path: link).standardizedFileURL.path
                return String(path.drop { $0 == "/" })
            }
    }

    @Test("Each leads to a file that a release has, too, and no document of a release is one that nothing leads to")
    func links() throws {
        let released = try Self.released()
        #expect(released.contains("README.md") && released.contains("docs"))
        var (found, open): (Set<String>, [String]) = (["README.md"], ["README.md"])
        while let document = open.popLast() {
            for link in try Self.links(of: document) {
                var isFolder: ObjCBool = false
                let exists = FileManager.default.fileExists(
                    atPath: Self.repository.appending(path: link).path,
                    isDirectory: &isFolder
                )
                #expect(exists, "\(document): \(link)")
                // A page that is made of the document leads to no list of a folder.
                #expect(!isFolder.boolValue, "\(document): \(link) is a folder")
                #expect(released.contains { link == $0 || link.hasPrefix($0 + "/") }, "\(document): \(link)")
                guard exists, !isFolder.boolValue, found.insert(link).inserted, link.hasSuffix(".md") else { continue }
                open.append(link)
            }
        }
        // CHANGELOG.md is what people look for by its name.
        let documents = try FileManager.default.subpathsOfDirectory(
            atPath: Self.repository.appending(path: "docs").path
        )
        .filter { $0.hasSuffix(".md") }.map { "docs/\($0)" }
        for document in documents + released.filter({ $0.hasSuffix(".md") }) where document != "CHANGELOG.md" {
            #expect(found.contains(document), "nothing leads to \(document)")
        }
        for link in try Self.links(of: "CHANGELOG.md") {
            #expect(FileManager.default.fileExists(atPath: Self.repository.appending(path: link).path), "\(link)")
        }
    }
}
