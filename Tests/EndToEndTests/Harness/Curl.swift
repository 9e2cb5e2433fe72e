// SPDX-License-Identifier: Apache-2.0

import Foundation

/// curl as a visitor.
enum Curl {
    /// What curl got.
    struct Answer {
        /// The status, or 0 when there was no answer.
        var status: Int
        var fields: [(name: String, value: String)]
        var body: String
        /// curl's own exit code.
        var exitCode: Int32

        subscript(name: String) -> String? {
            self.fields.first { $0.name.lowercased() == name.lowercased() }?.value
        }
    }

    /// Requests a URL once; an answer of any status, or none, is an answer.
    static func get(
        _ url: String,
        _ arguments: [String] = [],
        in scratch: ScratchFolder,
        within limit: Duration = .seconds(60)
    ) async throws -> Answer {
        let label = UUID().uuidString.prefix(8)
        let head = scratch.file("curl-\(label).head")
        let body = scratch.file("curl-\(label).body")
        let fixed = ["--silent", "--show-error", "--path-as-is", "--dump-header", head.path, "--output", body.path]
        let process = try RunningProcess("curl", fixed + arguments + [url], in: scratch)
        guard case .exited(let code) = try await process.end(within: limit) else {
            throw HarnessFailure("curl crashed\n\(process.transcript)")
        }
        let (status, fields) = Self.lastHead((try? String(contentsOf: head, encoding: .isoLatin1)) ?? "")
        let text = (try? Data(contentsOf: body)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return Answer(status: status, fields: fields, body: text, exitCode: code)
    }

    /// Downloads a URL without keeping it, and gives the SHA-256 of what came.
    static func downloadDigest(_ url: String, in scratch: ScratchFolder) throws -> RunningProcess {
        let command = "curl --silent --show-error --fail '\(url)' | sha256sum"
        return try RunningProcess("/bin/bash", ["-o", "pipefail", "-c", command], in: scratch)
    }

    /// The final head among those that curl wrote one after the other: interim responses come first.
    private static func lastHead(_ text: String) -> (status: Int, fields: [(name: String, value: String)]) {
        let heads = text.components(separatedBy: "\r\n\r\n").filter { !$0.isEmpty }
        guard let lines = heads.last?.components(separatedBy: "\r\n"), let first = lines.first else {
            return (0, [])
        }
        let status = first.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        let fields = lines.dropFirst().compactMap { line -> (name: String, value: String)? in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...]
            return (String(line[..<colon]), value.trimmingCharacters(in: .whitespaces))
        }
        return (status, fields)
    }
}
