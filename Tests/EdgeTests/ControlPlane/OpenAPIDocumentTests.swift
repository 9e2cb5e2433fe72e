// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import HTTPTypes
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

@Suite("The OpenAPI document")
struct OpenAPIDocumentTests {
    private func document() throws -> [String: Any] {
        let object = try JSONSerialization.jsonObject(with: Data(OpenAPIDocument.json(policy: .tunnel).utf8))
        return try #require(object as? [String: Any])
    }

    private func properties(of schema: String) throws -> Set<String> {
        let components = try #require(try self.document()["components"] as? [String: Any])
        let schemas = try #require(components["schemas"] as? [String: Any])
        let object = try #require(schemas[schema] as? [String: Any])
        return Set(try #require(object["properties"] as? [String: Any]).keys)
    }

    private func members(of value: some Encodable) throws -> Set<String> {
        let object = try JSONSerialization.jsonObject(with: APICoding.makeEncoder().encode(value))
        return Set(try #require(object as? [String: Any]).keys)
    }

    @Test("It describes the calls of the router, each and no other")
    func calls() async throws {
        let paths = try #require(try self.document()["paths"] as? [String: [String: Any]])
        let described = Set(
            paths.flatMap { path, item in item.keys.filter { $0 != "parameters" }.map { "\($0.uppercased()) \(path)" } }
        )
        let routes = try await ControlPlaneHarness().plane.routes.routes
        // HEAD comes with every GET.
        let served = Set(routes.filter { $0.method != .head }.map { "\($0.method.rawValue) \($0.path)" })
        #expect(described == served)
    }

    @Test("It is served to everybody as JSON")
    func served() async throws {
        let answer = try await ControlPlaneHarness().call(.get, "/api/openapi.json")
        #expect(answer.status == 200)
        #expect(answer.response.headerFields[.contentType] == "application/json")
        #expect(answer.body == Data(OpenAPIDocument.json(policy: .tunnel.limiting("max_connections", to: 100)).utf8))
    }

    @Test("Its schemas have the members of the models")
    func models() throws {
        let date = Date(timeIntervalSince1970: 0)
        let session = SessionStatus(
            sessionID: "1",
            remoteAddress: "a",
            implementation: "i",
            connectedAt: date,
            roundTripMilliseconds: 1,
            lastEchoAt: date,
            activeStreams: 1,
            draining: false,
            suspendedSince: date
        )
        let status = TunnelStatus(
            tunnelID: "t",
            name: "n",
            kind: .tcp,
            urls: ["u"],
            visitors: VisitorAdmission(TunnelPolicy()),
            state: .online,
            createdAt: date,
            lastActiveAt: date,
            lastEchoAt: date,
            sessions: [session],
            elsewhere: [OtherEdgeSessions(pod: "p", sessions: 1)],
            counters: TunnelCounters()
        )
        let created = CreateTunnelResponse(
            tunnelID: "t",
            name: "n",
            kind: .tcp,
            url: "u",
            urls: ["u"],
            token: "t",
            expiresAt: date,
            policyRemoved: ["ip_deny"]
        )
        let request = CreateTunnelRequest(
            name: "n",
            localPort: 1,
            policy: TunnelPolicy(),
            kind: .tcp,
            port: 1,
            isPublic: false,
            servedFrom: "a-place",
            pool: true
        )
        let renewed = TunnelTokenResponse(tunnelID: "t", token: "t", expiresAt: date, previousEndAt: date)
        let successor = TunnelRenewalResponse(tunnelID: "t", token: "t", expiresAt: date)
        let problem = Problem.invalidBody(field: "f", detail: "d").details(requestID: RequestID())
        #expect(try self.properties(of: "TunnelPolicy") == Set(PolicySchema.tunnel.members.map(\.name)))
        #expect(
            try self.properties(of: "CreateTunnelRequest") == self.members(of: request)
        )
        #expect(
            try self.properties(of: "BasicCredential")
                == self.members(of: BasicCredential(username: "u", password: "p", passwordHash: "h"))
        )
        #expect(try self.properties(of: "CreateTunnelResponse") == self.members(of: created))
        #expect(try self.properties(of: "TunnelTokenResponse") == self.members(of: renewed))
        #expect(try self.properties(of: "TunnelRenewalResponse") == self.members(of: successor))
        #expect(
            try self.properties(of: "TunnelAccessRequest") == self.members(of: TunnelAccessRequest(lifetimeSeconds: 1))
        )
        #expect(
            try self.properties(of: "TunnelAccessResponse")
                == self.members(of: TunnelAccessResponse(tunnelID: "t", token: "t", expiresAt: date))
        )
        #expect(
            try self.properties(of: "TunnelList")
                == self.members(of: TunnelList(tunnels: [], nextCursor: "c", partial: true))
        )
        #expect(try self.properties(of: "TunnelStatus") == self.members(of: status))
        #expect(
            try self.properties(of: "OtherEdgeSessions") == self.members(of: OtherEdgeSessions(pod: "p", sessions: 1))
        )
        #expect(try self.properties(of: "SessionStatus") == self.members(of: session))
        #expect(try self.properties(of: "TunnelCounters") == self.members(of: TunnelCounters(errorsByCode: ["c": 1])))
        #expect(try self.properties(of: "Problem") == self.members(of: problem))
    }
}
