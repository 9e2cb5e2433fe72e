// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import HTTPTypes
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeProxy
@testable import EdgeTunnels

@Suite("Errors of the control API")
struct ProblemTests {
    private static let tunnel: TunnelID = {
        var generator = SystemRandomNumberGenerator()
        return TunnelID("my-app") ?? TunnelID.random(using: &generator)
    }()
    private static let decision = RateDecision(isAllowed: false, remaining: 0, resetSeconds: 3)

    /// One of each.
    static let all: [Problem] = [
        .invalidBody(field: nil, detail: "d"), .invalidParameter(field: "f", detail: "d"), .missingCredentials,
        .invalidCredentials, .invalidToken, .oneTimePasswordRequired, .invalidOneTimePassword, .notFound,
        .tunnelNotFound(Self.tunnel), .methodNotAllowed(allowed: []), .nameTaken("n"), .nameReserved("n"),
        .tooManyTunnels(limit: 1), .bodyTooLarge(limit: 1), .unsupportedMediaType,
        .rateLimited(Self.decision, by: .calls),
        .draining, .internalError, .crowded(retryAfter: 7), .kindDiffers("n", .http, isPrivate: false),
        .kindNotServed(.tcp),
        .portTaken(1), .noPortFree(1...2), .registryUnavailable, .inboxNotServed, .inboxNotFound(Self.tunnel),
        .messageNotFound("m", of: Self.tunnel),
        .tooManyInboxes(limit: 1), .inboxUnavailable, .foreignPage("d."), .sessionEnded, .adminsOnly,
        .servedElsewhere("n", by: TunnelNotice.Connector(implementation: nil, remoteAddress: nil)),
    ]

    /// Fails to compile when there is a new error, which then has to be added above.
    private func number(of problem: Problem) -> Int {
        switch problem {
        case .invalidBody: 0
        case .invalidParameter: 1
        case .missingCredentials: 2
        case .invalidCredentials: 3
        case .invalidToken: 4
        case .oneTimePasswordRequired: 5
        case .invalidOneTimePassword: 6
        case .notFound: 7
        case .tunnelNotFound: 8
        case .methodNotAllowed: 9
        case .nameTaken: 10
        case .nameReserved: 11
        case .tooManyTunnels: 12
        case .bodyTooLarge: 13
        case .unsupportedMediaType: 14
        case .rateLimited: 15
        case .draining: 16
        case .internalError: 17
        case .crowded: 18
        case .kindDiffers: 19
        case .kindNotServed: 20
        case .portTaken: 21
        case .noPortFree: 22
        case .registryUnavailable: 23
        case .inboxNotServed: 24
        case .inboxNotFound: 25
        case .messageNotFound: 26
        case .tooManyInboxes: 27
        case .inboxUnavailable: 28
        case .servedElsewhere: 32
        case .foreignPage: 29
        case .sessionEnded: 30
        case .adminsOnly: 31
        }
    }

    private static func text(of path: String) throws -> String {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    private func documentation() throws -> String { try Self.text(of: "docs/errors.md") }

    /// The codes with which an upgrade is refused before its token is looked at, from the source itself.
    static func handshakeCodes() throws -> [String] {
        let source = try Self.text(of: "Sources/Mux/WebSocket/WebSocketHandshake.swift")
        let codes = source.matches(of: #/\(\s*[0-9]{3},\s*"([a-z_]+)"/#).map { String($0.output.1) }
        #expect(codes.contains("websocket_key"))
        return codes
    }

    @Test("docs/errors.md lists each code with its status")
    func documented() throws {
        #expect(Self.all.map(self.number(of:)) == Array(0..<Self.all.count))
        let text = try self.documentation()
        for problem in Self.all {
            #expect(text.contains("| `\(problem.code)` | \(problem.status.code) |"), "\(problem.code)")
        }
    }

    @Test("docs/errors.md lists the errors that visitors meet, with their statuses in both maps")
    func visitorsDocumented() throws {
        let lines = try self.documentation().split(separator: "\n")
        for error in VisitorError.allCases {
            let statuses = "| \(error.status(.rfc)) | \(error.status(.cdn)) |"
            #expect(lines.contains { $0.contains("`\(error.code)`") && $0.contains(statuses) }, "\(error.code)")
        }
    }

    @Test("docs/errors.md lists no code that there isn't")
    func nothingElseDocumented() throws {
        let known = Set(try Self.all.map(\.code) + VisitorError.allCases.map(\.code) + Self.handshakeCodes())
        var documented = Set<String>()
        for line in try self.documentation().split(separator: "\n") where line.hasPrefix("| `") {
            let cell = line.dropFirst().prefix { $0 != "|" }
            let parts = cell.split(separator: "`").filter { $0.contains { $0.isLetter } }
            documented.formUnion(parts.map(String.init))
        }
        #expect(documented == known)
    }

    @Test("Codes are unique, and each error says what to do")
    func codes() {
        #expect(Set(Self.all.map(\.code)).count == Self.all.count)
        #expect(Self.all.allSatisfy { !$0.title.isEmpty && !$0.detail.isEmpty })
    }

    @Test("What there is not is named, and so is the tunnel where it was looked for")
    func names() {
        #expect(
            Problem.tunnelNotFound(Self.tunnel).detail
                == "There is no tunnel my-app, or it belongs to another API key."
        )
        #expect(Problem.inboxNotFound(Self.tunnel).detail.hasPrefix("The tunnel my-app has no inbox: "))
        #expect(
            Problem.messageNotFound("msg_1", of: Self.tunnel).detail.hasPrefix(
                "The inbox of my-app has no message msg_1, "
            )
        )
    }

    @Test("Errors that ask for patience or credentials say so in their fields")
    func fields() {
        #expect(Problem.rateLimited(Self.decision, by: .calls).headerFields[.retryAfter] == "3")
        #expect(Problem.rateLimited(Self.decision, by: .logins).headerFields[.rateLimit] == #""logins";r=0;t=3"#)
        #expect(Problem.draining.headerFields[.retryAfter] == "0")
        #expect(Problem.crowded(retryAfter: 7).headerFields[.retryAfter] == "7")
        #expect(Problem.missingCredentials.headerFields[.wwwAuthenticate]?.hasPrefix("Bearer ") == true)
        #expect(Problem.methodNotAllowed(allowed: [.get, .head]).headerFields[.allow] == "GET, HEAD")
    }
}
