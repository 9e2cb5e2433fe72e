// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import ControlAPI
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import NIOPosix
import Program

/// Calls the API of an inspector that runs on this machine.
package struct InspectorClient: Sendable {
    /// Where it is, without a path.
    package let url: String
    private let token: String?

    /// The largest answer, in bytes: all that an inspector keeps by default, in base64.
    private static let largestAnswer = 512 << 20
    private static let timeout = TimeAmount.seconds(60)

    /// - Parameters:
    ///   - url: Where the inspector is, without a path.
    ///   - token: What it wants to be shown.
    package init(url: String, token: String? = nil) {
        self.url = url.hasSuffix("/") ? String(url.dropLast()) : url
        self.token = token
    }

    /// Whether an inspector answers there.
    package func answers() async -> Bool {
        struct Root: Decodable {
            var requestsURI: String

            private enum CodingKeys: String, CodingKey {
                case requestsURI = "requests_uri"
            }
        }
        guard let body = try? await self.exchange(.GET, "/api", timeout: .seconds(2)) else { return false }
        return (try? JSONDecoder().decode(Root.self, from: body)) != nil
    }

    /// Makes a call that is answered with JSON.
    package func get<Answer: Decodable>(_ path: String, query: [(String, String)] = []) async throws -> Answer {
        let body = try await self.exchange(.GET, path, query: query)
        do {
            return try JSONDecoder().decode(Answer.self, from: body)
        } catch {
            throw CommandFailure(.unavailable, "What answers at \(self.url) is not an inspector of culvert.")
        }
    }

    /// Makes a call that is answered with bytes.
    package func bytes(_ path: String, query: [(String, String)] = []) async throws -> Data {
        try await self.exchange(.GET, path, query: query)
    }

    /// Makes a call that sends JSON and is answered with JSON.
    package func post<Answer: Decodable>(_ path: String, _ value: some Encodable & Sendable) async throws -> Answer {
        let body = try await self.exchange(.POST, path, body: try JSONEncoder().encode(value))
        return try JSONDecoder().decode(Answer.self, from: body)
    }

    /// Makes a call that sends bytes of JSON and is answered with JSON.
    package func post<Answer: Decodable>(_ path: String, bytes: Data) async throws -> Answer {
        try JSONDecoder().decode(Answer.self, from: try await self.exchange(.POST, path, body: bytes))
    }

    /// Removes what is at a path.
    package func delete(_ path: String) async throws {
        _ = try await self.exchange(.DELETE, path, body: Data())
    }

    private func exchange(
        _ method: HTTPMethod,
        _ path: String,
        query: [(String, String)] = [],
        body: Data? = nil,
        timeout: TimeAmount = Self.timeout
    ) async throws -> Data {
        let pairs = query.map { "\($0)=\(Self.encoded($1))" }.joined(separator: "&")
        var request = HTTPClientRequest(url: self.url + path + (pairs.isEmpty ? "" : "?" + pairs))
        request.method = method
        request.headers.add(name: "User-Agent", value: "culvert/\(ProgramVersion.current)")
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        if method != .GET { request.headers.add(name: "Content-Type", value: "application/json") }
        if let body { request.body = .bytes(body) }
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        // A port where nobody listens is known at once, and stays so.
        configuration.connectionPool.retryConnectionEstablishment = false
        let http = HTTPClient(
            eventLoopGroupProvider: .shared(MultiThreadedEventLoopGroup.singleton),
            configuration: configuration
        )
        let outcome: Result<(Int, ByteBuffer), any Error>
        do {
            let response = try await http.execute(request, timeout: timeout)
            outcome = .success((Int(response.status.code), try await response.body.collect(upTo: Self.largestAnswer)))
        } catch {
            outcome = .failure(error)
        }
        try? await http.shutdown()
        guard case .success(let (status, answer)) = outcome else {
            throw CommandFailure(
                .unavailable,
                "No inspector answers at \(self.url). Is culvert running with --inspect, and is this its address? "
                    + "--inspector ADDRESS names another."
            )
        }
        guard (200...299).contains(status) else {
            let problem = try? JSONDecoder().decode(ProblemDetails.self, from: Data(buffer: answer))
            let isRefused = status == 401 || status == 403
            throw CommandFailure(
                isRefused ? .refused : .unavailable,
                problem.map { "\($0.detail ?? $0.title) (\($0.code))" }
                    ?? "The inspector at \(self.url) says \(status)."
            )
        }
        return Data(buffer: answer)
    }

    /// A value of a query.
    private static func encoded(_ text: String) -> String {
        var allowed = CharacterSet.alphanumerics
        allowed.insert(charactersIn: "-._~")
        return text.addingPercentEncoding(withAllowedCharacters: allowed) ?? ""
    }
}
