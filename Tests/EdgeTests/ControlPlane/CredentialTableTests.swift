// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Logging
import Mux
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

/// Every call against every kind of credentials; the calls are enumerated from the router, so that a new one can't be
/// forgotten.
@Suite("Calls and credentials")
struct CredentialTableTests {
    /// What the caller shows.
    private enum Credentials: CaseIterable {
        case none
        case wrongKey
        case revokedKey
        case keyWithoutCode
        case keyWithOldCode
        case keyWithReplayedCode
        case keyWithCode
        case userOfAnotherTunnel
        case admin
    }

    /// Calls that need no credentials, each with a reason.
    private let open: Set<String> = [
        // What the API looks like is no secret.
        "GET /api/openapi.json", "HEAD /api/openapi.json",
    ]

    @Test("The connectors' address, which the router does not have, takes none of these credentials for a token")
    func connect() async throws {
        let api = try await ControlPlaneHarness(withSecondFactor: true)
        let endpoint = TokenConnectEndpoint(
            registry: api.registry,
            tokens: api.tokens,
            readiness: self.ready,
            recorder: EdgeMetrics(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        let keys = [
            nil, "cvk_wrong", ControlPlaneHarness.revoked, ControlPlaneHarness.alice, ControlPlaneHarness.bob,
            ControlPlaneHarness.root,
        ]
        for key in keys {
            let decision = await endpoint.decide(
                tunnelID: "my-app",
                fields: [
                    ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
                    ("Sec-WebSocket-Key", WebSocketHandshake.makeKey()),
                    ("Sec-WebSocket-Protocol", WebSocketHandshake.subprotocol),
                ] + (key.map { [("Authorization", "Bearer \($0)")] } ?? []),
                remoteAddress: nil,
                requestID: RequestID()
            )
            guard case .refuse(let response, _) = decision else {
                Issue.record("a connector was let in with \(key ?? "nothing")")
                continue
            }
            #expect(response.status == .unauthorized)
        }
        #expect(api.registry.all.isEmpty)
    }

    private var ready: Readiness {
        let readiness = Readiness()
        readiness.becomeReady()
        return readiness
    }

    @Test("Each call has the expected status for each kind of credentials")
    func table() async throws {
        let routes = try await ControlPlaneHarness().plane.routes.routes
        #expect(routes.count >= 7)
        for route in routes {
            for credentials in Credentials.allCases {
                let status = try await self.status(of: route, with: credentials)
                let expected = self.expected(route, credentials)
                #expect(status == expected, "\(route.method) \(route.path) with \(credentials)")
            }
        }
    }

    private func expected(_ route: RouteTable.Route, _ credentials: Credentials) -> Int {
        let success =
            switch (route.method, route.path) {
            // The edge of this test has no inboxes.
            case (.put, let path) where path.contains("/inbox"): 409
            case (_, let path) where path.contains("/inbox"): 404
            case (.post, _): 201
            case (.delete, _): 204
            default: 200
            }
        if self.open.contains("\(route.method) \(route.path)") { return success }
        let changes = route.method != .get && route.method != .head
        let hasTunnel = route.path.contains("{id}")
        return switch credentials {
        case .none, .wrongKey, .revokedKey: 401
        case .keyWithoutCode, .keyWithOldCode, .keyWithReplayedCode: changes ? 401 : success
        case .keyWithCode, .admin: success
        case .userOfAnotherTunnel: hasTunnel ? 404 : success
        }
    }

    private func status(of route: RouteTable.Route, with credentials: Credentials) async throws -> Int {
        let api = try await ControlPlaneHarness(withSecondFactor: true)
        let path = route.path.replacing("{id}", with: "my-app")
        _ = try await api.call(
            .post,
            "/api/tunnels/create",
            key: ControlPlaneHarness.alice,
            code: api.code(),
            body: #"{"name":"my-app"}"#
        )
        api.time.advance(by: 60)
        func call(_ key: String?, _ code: String? = nil) async throws -> Int {
            try await api.call(route.method, path, key: key, code: code).status
        }
        switch credentials {
        case .none: return try await call(nil)
        case .wrongKey: return try await call("cvk_wrong")
        case .revokedKey: return try await call(ControlPlaneHarness.revoked)
        case .keyWithoutCode: return try await call(ControlPlaneHarness.alice)
        case .keyWithOldCode: return try await call(ControlPlaneHarness.alice, api.code(stepsAgo: 2))
        case .keyWithReplayedCode:
            let code = api.code()
            _ = try await api.call(.post, "/api/tunnels/create", key: ControlPlaneHarness.alice, code: code)
            return try await call(ControlPlaneHarness.alice, code)
        case .keyWithCode: return try await call(ControlPlaneHarness.alice, api.code())
        case .userOfAnotherTunnel: return try await call(ControlPlaneHarness.bob)
        case .admin: return try await call(ControlPlaneHarness.root)
        }
    }
}
