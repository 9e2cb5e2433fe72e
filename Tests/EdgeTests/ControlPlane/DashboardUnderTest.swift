// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTPTypes
import NIOCore

@testable import EdgeControl
@testable import EdgeTunnels

/// The dashboard in front of a control API with the keys of ``ControlPlaneHarness``, and a browser's page of it.
struct DashboardUnderTest {
    /// What the page has after signing in.
    struct Halves: Equatable {
        var cookie: String?
        var token: String?
    }

    let harness: ControlPlaneHarness
    let sessions = DashboardSessions(secrets: [[UInt8](repeating: 9, count: 32)])
    private let isAdminListener: Bool

    init(isAdminListener: Bool = true, withSecondFactor: Bool = false) async throws {
        self.harness = try await ControlPlaneHarness(withSecondFactor: withSecondFactor)
        self.isAdminListener = isAdminListener
    }

    /// Makes a request.
    func call(
        _ method: HTTPRequest.Method,
        _ path: String,
        as halves: Halves = Halves(),
        host: String = "localhost:8990",
        scheme: String = "http",
        body: String = "",
        fields: [(String, String)] = []
    ) async throws -> Answer {
        var request = HTTPRequest(method: method, scheme: scheme, authority: host, path: path)
        if method != .get { request.headerFields[.contentType] = "application/json" }
        if let cookie = halves.cookie { request.headerFields[.cookie] = cookie }
        if let token = halves.token { request.headerFields[.culvertSession] = token }
        for (name, value) in fields {
            guard let name = HTTPField.Name(name) else { continue }
            request.headerFields[name] = value
        }
        let time = self.harness.time
        let plane = DashboardPlane(
            self.harness.plane,
            sessions: self.sessions,
            isAdminListener: self.isAdminListener,
            now: { Date(timeIntervalSince1970: time.seconds) }
        )
        let (response, bytes) = await plane.respond(
            to: request,
            body: ByteBuffer(string: body),
            remoteAddress: try SocketAddress(ipAddress: "192.0.2.1", port: 1),
            requestID: RequestID()
        )
        return Answer(response: response, body: Data(bytes.readableBytesView))
    }

    /// Signs in.
    func signIn(
        _ key: String,
        code: String? = nil,
        host: String = "localhost:8990",
        scheme: String = "http"
    ) async throws -> (answer: Answer, halves: Halves) {
        var fields = [("Authorization", "Bearer \(key)")]
        if let code { fields.append(("Culvert-OTP", code)) }
        let path = "/api/dashboard/session"
        let answer = try await self.call(.post, path, host: host, scheme: scheme, fields: fields)
        let cookie = answer.response.headerFields[.setCookie].map { String($0.prefix { $0 != ";" }) }
        let token = try? answer.decode([String: String].self)["token"]
        return (answer, Halves(cookie: cookie, token: token))
    }
}
