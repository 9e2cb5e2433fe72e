// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import ControlAPI
import Foundation
import HTTP1
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import NIOSSL
import Program

/// A typed client of an edge's control API (docs/api.md).
package struct ControlClient: Sendable {
    let edge: EdgeAddress
    let credentials: Credentials
    let http: HTTPClient
    /// The proxy that ``http`` uses.
    var proxy: ProxyAddress?
    /// How long one call may take.
    var timeout = TimeAmount.seconds(30)
    /// How long it waits where the edge asks to be left alone; callers that come again by themselves have no use for it.
    var patience = CallPatience(.zero)

    /// The largest response that is read, in bytes: a page of a list has some hundred entries at most, and a message of an
    /// inbox a body of 16 MiB, in base 64.
    static let largestAnswer = 24 << 20

    /// Makes a tunnel.
    ///
    /// An edge of 0.1.0 refuses what says where a tunnel is served from, and is asked again without: it lets connectors in
    /// wherever they are. With a one-time code, which that used up, the second call is refused.
    package func create(_ request: CreateTunnelRequest) async throws(EdgeFailure) -> CreateTunnelResponse {
        do {
            return try await self.call(.POST, "/api/tunnels/create", body: self.encode(request))
        } catch .refused(400, _, .some(let problem)) where request.isUnknown(problem.field) {
            var older = request
            (older.servedFrom, older.pool) = (nil, nil)
            return try await self.call(.POST, "/api/tunnels/create", body: self.encode(older))
        }
    }

    /// The most tunnels that are listed: an edge whose list is longer does not end it.
    static let longestList = 100_000

    /// Lists the tunnels of the key, all pages.
    ///
    /// - Throws: ``EdgeFailure/notAnEdge(address:reason:)`` for a list without an end: a page that is empty and names
    ///   another, or more tunnels than ``longestList``.
    package func list() async throws(EdgeFailure) -> [TunnelStatus] {
        var tunnels: [TunnelStatus] = []
        var cursor: String?
        repeat {
            let query = cursor.map { "?cursor=" + Self.percentEncoded($0) } ?? ""
            let page: TunnelList = try await self.call(.GET, "/api/tunnels/list" + query)
            tunnels += page.tunnels
            cursor = page.nextCursor
            guard cursor == nil || !page.tunnels.isEmpty && tunnels.count <= Self.longestList else {
                throw .notAnEdge(address: "\(self.edge)", reason: "its list of tunnels has no end")
            }
        } while cursor != nil
        return tunnels
    }

    /// Describes one tunnel.
    package func status(of tunnelID: String) async throws(EdgeFailure) -> TunnelStatus {
        try await self.call(.GET, "/api/tunnels/\(Self.percentEncoded(tunnelID))/status")
    }

    /// Deletes a tunnel; its tokens are revoked and its sessions closed.
    package func delete(_ tunnelID: String) async throws(EdgeFailure) {
        _ = try await self.exchange(.DELETE, "/api/tunnels/\(Self.percentEncoded(tunnelID))", body: nil)
    }

    /// Deletes a tunnel of a program that exits, which does not wait long for the edge.
    package func forget(_ tunnelID: String) async throws(EdgeFailure) {
        var client = self
        client.timeout = .seconds(2)
        client.patience = CallPatience(.seconds(2))
        try await client.delete(tunnelID)
    }

    /// Asks for the successor of a token, which stays valid; with the token itself or a key.
    func renewToken(of tunnelID: String) async throws(EdgeFailure) -> TunnelRenewalResponse {
        try await self.call(.POST, "/api/tunnels/\(Self.percentEncoded(tunnelID))/renew")
    }

    /// Asks for a new token of a tunnel that exists; those before it end after an overlap.
    package func replaceTokens(of tunnelID: String) async throws(EdgeFailure) -> TunnelTokenResponse {
        try await self.call(.POST, "/api/tunnels/\(Self.percentEncoded(tunnelID))/token")
    }

    /// Asks for an access token of a tunnel.
    package func issueAccess(
        to tunnelID: String,
        _ request: TunnelAccessRequest
    ) async throws(EdgeFailure) -> TunnelAccessResponse {
        try await self.call(
            .POST,
            "/api/tunnels/\(Self.percentEncoded(tunnelID))/access",
            body: self.encode(request)
        )
    }

    /// Ends the access tokens of a tunnel, and the connections of those who came with one.
    package func revokeAccess(to tunnelID: String) async throws(EdgeFailure) {
        _ = try await self.exchange(.DELETE, "/api/tunnels/\(Self.percentEncoded(tunnelID))/access", body: nil)
    }

    /// Checks that an edge is there, without a key.
    ///
    /// - Returns: The time that it is there, to the second; `nil` if its answer does not say.
    @discardableResult
    package func findEdge() async throws(EdgeFailure) -> Date? {
        let answer: Answer
        do {
            answer = try await self.answer(.GET, "/api/openapi.json", body: nil, isAuthorized: false)
        } catch .refused(_, _, .some(let problem))
            where problem.type.hasPrefix("urn:culvert:") && problem.code != EdgeFailure.tlsRequired
        {
            // A problem document of ours comes from an edge.
            return nil
        }
        // Many servers answer every path with 200.
        let description = try? JSONDecoder().decode(APIDescription.self, from: answer.body)
        guard description?.info.title == APIDescription.title else { throw self.notAnEdge }
        return answer.headers.first(name: "Date").flatMap { HTTPDate($0) }
            .map { Date(timeIntervalSince1970: TimeInterval($0.seconds)) }
    }

    /// Sees that an edge is there before a key is shown: another server, or the local server behind the URL of a tunnel,
    /// is not to get it.
    ///
    /// - Throws: ``EdgeFailure`` if something else is there, or nothing.
    func expectEdge() async throws(EdgeFailure) {
        do {
            let answer = try await self.answer(.HEAD, "/api/openapi.json", body: nil, isAuthorized: false)
            // What an edge passes on from a local server has no such field.
            if answer.headers.contains(name: "Culvert-Request-Id") { return }
        } catch .refused {
            // The answer to GET says in words what is there.
        }
        try await self.findEdge()
    }

    /// Writes the body of a call.
    func encode(_ request: some Encodable) throws(EdgeFailure) -> Data {
        do {
            return try APICoding.makeEncoder().encode(request)
        } catch {
            throw .notAnEdge(address: self.edge.description, reason: "the request can't be written as JSON")
        }
    }

    /// Makes a call whose answer is JSON.
    func call<Answer: Decodable>(
        _ method: HTTPMethod,
        _ path: String,
        body: Data? = nil
    ) async throws(EdgeFailure) -> Answer {
        let answer = try await self.exchange(method, path, body: body)
        guard let value = try? APICoding.makeDecoder().decode(Answer.self, from: answer) else {
            throw self.notAnEdge
        }
        return value
    }

    private var notAnEdge: EdgeFailure {
        .noEdge(at: self.edge, reason: "its answer is not the JSON of the control API")
    }

    /// The part of an OpenAPI document that identifies an edge.
    private struct APIDescription: Decodable {
        struct Information: Decodable {
            var title: String
        }

        var info: Information

        static let title = "Culvert control API"
    }

    /// Sends one call and returns the body of its 2xx answer.
    func exchange(_ method: HTTPMethod, _ path: String, body: Data?) async throws(EdgeFailure) -> Data {
        try await self.answer(method, path, body: body, isAuthorized: true).body
    }

    private struct Answer {
        var headers: HTTPHeaders
        var body: Data
    }

    /// Sends one call and returns its 2xx answer; sends it again where the edge asks for a while.
    private func answer(
        _ method: HTTPMethod,
        _ path: String,
        body: Data?,
        isAuthorized: Bool
    ) async throws(EdgeFailure) -> Answer {
        var patience = self.patience
        while true {
            do throws(EdgeFailure) {
                return try await self.answerOnce(method, path, body: body, isAuthorized: isAuthorized)
            } catch {
                guard let wait = patience.wait(after: error), (try? await Task.sleep(for: wait)) != nil else {
                    throw error
                }
            }
        }
    }

    private func answerOnce(
        _ method: HTTPMethod,
        _ path: String,
        body: Data?,
        isAuthorized: Bool
    ) async throws(EdgeFailure) -> Answer {
        var request = HTTPClientRequest(url: self.edge.url(path))
        request.method = method
        request.headers.add(name: "Accept", value: "application/json, \(ProblemDetails.mediaType)")
        request.headers.add(name: "User-Agent", value: "culvert/\(ProgramVersion.current)")
        if isAuthorized {
            request.headers.add(name: "Authorization", value: "Bearer \(self.credentials.apiKey)")
            if let code = self.credentials.oneTimeCode { request.headers.add(name: "Culvert-OTP", value: code) }
        }
        if let body {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(body)
        }
        let status: Int
        let headers: HTTPHeaders
        let answer: ByteBuffer
        do {
            let response = try await self.http.execute(request, timeout: self.timeout)
            status = Int(response.status.code)
            headers = response.headers
            answer = try await response.body.collect(upTo: Self.largestAnswer)
        } catch {
            throw EdgeFailure(error, reaching: self.edge, through: self.proxy)
        }
        guard (200...299).contains(status) else {
            let problem = ProblemDetails(reading: answer, mediaType: headers.first(name: "Content-Type"))
            throw EdgeFailure(
                refusedBy: self.edge,
                status: status,
                retryAfter: RetryAfter.parse(headers.first(name: "Retry-After")),
                problem: problem
            )
        }
        return Answer(headers: headers, body: Data(buffer: answer))
    }

    /// Encodes a name that a person typed, so that it can't change the path.
    static func percentEncoded(_ text: String) -> String {
        let allowed = CharacterSet(charactersIn: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_~")
        return text.addingPercentEncoding(withAllowedCharacters: allowed) ?? ""
    }
}

extension ProblemDetails {
    /// Reads a problem document (RFC 9457); `nil` if the response is something else, such as a proxy's HTML page.
    init?(reading body: ByteBuffer, mediaType: String?) {
        guard let mediaType = mediaType?.lowercased(), mediaType.hasPrefix(Self.mediaType),
            let problem = try? APICoding.makeDecoder().decode(Self.self, from: Data(buffer: body))
        else { return nil }
        self = problem
    }
}

extension CreateTunnelRequest {
    /// Whether an edge that does not know a member of this request is one of 0.1.0.
    fileprivate func isUnknown(_ member: String?) -> Bool {
        member == "served_from" && self.servedFrom != nil || member == "pool" && self.pool != nil
    }
}
