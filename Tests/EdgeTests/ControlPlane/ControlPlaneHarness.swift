// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import HTTPTypes
import Logging
import NIOCore
import Synchronization

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

/// A control API with three keys: `alice` and `bob` (users), `root` (admin); alice's has a second factor in some tests.
struct ControlPlaneHarness {
    static let alice = "cvk_alice"
    static let bob = "cvk_bob"
    static let root = "cvk_root"
    static let revoked = "cvk_revoked"
    static let secret = OneTimePassword(secret: Array("12345678901234567890".utf8))

    let registry: InMemoryTunnelRegistry
    let tokens: TunnelTokens
    let plane: HTTPControlPlane
    let time = ManualTime()

    init(
        withSecondFactor: Bool = false,
        limits: APILimits.Settings? = nil,
        policySchema: PolicySchema = .tunnel,
        directory: InMemoryTunnelDirectory? = nil,
        logger: Logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    ) async throws {
        func record(_ name: String, _ key: String, _ role: Role) -> APIKeyRecord {
            APIKeyRecord(name: name, role: role, sha256: Hexadecimal.encode(APIKey.hash(key)))
        }
        var records = [
            record("alice", Self.alice, .user), record("bob", Self.bob, .user), record("root", Self.root, .admin),
            record("gone", Self.revoked, .admin),
        ]
        records[3].revoked = true
        if withSecondFactor { records[0].totpSecret = Base32.encode(Self.secret.secret) }
        var settings = APILimits.Settings()
        settings.calls = RateLimit(1_000_000, perSeconds: 1)
        settings.creations = RateLimit(1_000_000, perSeconds: 1)
        let time = self.time
        self.registry = InMemoryTunnelRegistry(tunnelsPerOwner: 5)
        self.tokens = try await TunnelTokens(
            keys: [SigningKey(kid: "k", secret: Data(repeating: 7, count: 32).base64EncodedString())]
        )
        let registry: any TunnelRegistry =
            if let directory {
                DirectoryTunnelRegistry(self.registry, directory: directory, tokens: self.tokens)
            } else {
                self.registry
            }
        self.plane = HTTPControlPlane(
            registry: registry,
            keys: try APIKeyStore(records),
            tokens: self.tokens,
            limits: APILimits(limits ?? settings, now: { time.seconds }),
            settings: LiveSettings(ControlSettings(publicURL: "https://t.example")),
            policySchema: policySchema,
            logger: logger,
            now: { Date(timeIntervalSince1970: time.seconds) }
        )
    }

    /// Makes a call.
    func call(
        _ method: HTTPRequest.Method,
        _ path: String,
        key: String? = nil,
        code: String? = nil,
        body: String = "",
        type: String? = "application/json",
        from address: String = "192.0.2.1"
    ) async throws -> Answer {
        var request = HTTPRequest(method: method, scheme: nil, authority: nil, path: path)
        if let key { request.headerFields[.authorization] = "Bearer \(key)" }
        if let code { request.headerFields[.culvertOTP] = code }
        if let type, !body.isEmpty { request.headerFields[.contentType] = type }
        let (response, bytes) = await self.plane.respond(
            to: request,
            body: ByteBuffer(string: body),
            remoteAddress: try SocketAddress(ipAddress: address, port: 1),
            requestID: RequestID()
        )
        return Answer(response: response, body: Data(bytes.readableBytesView))
    }

    /// The one-time code of this moment.
    func code(stepsAgo: Int = 0) -> String {
        Self.secret.code(counter: OneTimePassword.counter(at: Int64(self.time.seconds)) - UInt64(stepsAgo))
    }
}

/// What the API answered.
struct Answer {
    let response: HTTPResponse
    let body: Data

    var status: Int { self.response.status.code }

    var problem: ProblemDetails? { try? APICoding.makeDecoder().decode(ProblemDetails.self, from: self.body) }

    func decode<Body: Decodable>(_ type: Body.Type) throws -> Body {
        try APICoding.makeDecoder().decode(type, from: self.body)
    }
}

/// A clock that stands still until it is moved.
final class ManualTime: Sendable {
    private let now = Mutex(1_000_000_000.0)

    var seconds: Double { self.now.withLock { $0 } }

    func advance(by seconds: Double) { self.now.withLock { $0 += seconds } }
}
