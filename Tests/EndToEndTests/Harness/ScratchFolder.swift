// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A folder for one test's files, which goes when the test does.
final class ScratchFolder {
    let url: URL

    init() throws {
        self.url = FileManager.default.temporaryDirectory
            .appendingPathComponent("culvert-e2e-\(UUID().uuidString.lowercased())")
        try FileManager.default.createDirectory(at: self.url, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(at: self.url)
    }

    /// The place of a file in this folder.
    func file(_ name: String) -> URL {
        self.url.appendingPathComponent(name)
    }

    /// Makes a folder in this folder.
    func folder(_ name: String) throws -> URL {
        let url = self.file(name)
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        return url
    }

    /// A file of random bytes, and its SHA-256.
    func randomFile(_ name: String, mebibytes: Int) async throws -> (url: URL, digest: String) {
        let url = self.file(name)
        let shell = try RunningProcess(
            "/bin/sh",
            ["-c", "head -c \(mebibytes << 20) /dev/urandom | tee '\(url.path)' | sha256sum"],
            in: self
        )
        return (url, String(try await shell.successfulOutput(within: .seconds(120)).prefix(64)))
    }
}
