// SPDX-License-Identifier: Apache-2.0

import Foundation

/// What `POST /api/tunnels/create` and `…/token` answer, as far as these tests need it.
struct IssuedTunnel: Decodable {
    var id: String
    var url: String?
    var token: String

    private enum CodingKeys: String, CodingKey {
        case id = "tunnel_id"
        case url
        case token
    }
}

/// What `GET /api/tunnels/{id}/status` answers, as far as these tests need it.
struct ShownTunnel: Decodable {
    struct Session: Decodable {
        var id: String
        var lastEchoAt: String?

        private enum CodingKeys: String, CodingKey {
            case id = "session_id"
            case lastEchoAt = "last_echo_at"
        }
    }

    var state: String
    var lastEchoAt: String?
    var sessions: [Session]

    private enum CodingKeys: String, CodingKey {
        case state
        case lastEchoAt = "last_echo_at"
        case sessions
    }
}

extension EdgeProcess {
    /// Makes a call of the control API.
    ///
    /// - Parameters:
    ///   - path: What follows `/api/tunnels/`.
    ///   - body: The JSON to send, if any.
    ///   - key: Another key than the edge's own.
    ///   - options: More options of curl.
    func call(
        _ method: String,
        _ path: String,
        body: String? = nil,
        key: String? = nil,
        options: [String] = [],
        in scratch: ScratchFolder
    ) async throws -> Curl.Answer {
        var arguments = ["--request", method, "--header", "Authorization: Bearer \(key ?? self.apiKey)"] + options
        if let body { arguments += ["--json", body] }
        return try await Curl.get("\(self.url)/api/tunnels/\(path)", arguments, in: scratch)
    }

    /// Makes a tunnel.
    func createTunnel(
        _ body: String = "{}",
        key: String? = nil,
        options: [String] = [],
        in scratch: ScratchFolder
    ) async throws -> IssuedTunnel {
        let answer = try await self.call("POST", "create", body: body, key: key, options: options, in: scratch)
        guard answer.status == 201 else { throw HarnessFailure("no tunnel was made: \(answer.body)") }
        return try JSONDecoder().decode(IssuedTunnel.self, from: Data(answer.body.utf8))
    }

    /// What the edge says of a tunnel.
    func status(of id: String, options: [String] = [], in scratch: ScratchFolder) async throws -> ShownTunnel {
        let answer = try await self.call("GET", "\(id)/status", options: options, in: scratch)
        guard answer.status == 200 else { throw HarnessFailure("no status: \(answer.body)") }
        return try JSONDecoder().decode(ShownTunnel.self, from: Data(answer.body.utf8))
    }

    /// A figure of the admin listener that has one sample.
    func metric(_ name: String, in scratch: ScratchFolder) async throws -> Double {
        let text = try await Curl.get("http://127.0.0.1:\(self.adminPort)/metrics", in: scratch).body
        for line in text.split(separator: "\n") where line.prefix(while: { $0 != " " && $0 != "{" }) == name {
            if let value = line.split(separator: " ").last.flatMap({ Double($0) }) { return value }
        }
        throw HarnessFailure("there is no figure \(name)")
    }
}

extension EdgeProcess {
    /// Starts an edge that speaks TLS and knows an API key of its own.
    static func ofTLS(_ certificate: SelfSigned, in scratch: ScratchFolder) async throws -> EdgeProcess {
        try await EdgeProcess(in: scratch, arguments: ["--dev"] + certificate.edgeArguments, scheme: "https")
    }
}
