// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import HTTPTypes
import Program
import Protocol
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

/// An error with a stable code, provoked.
struct CodeCase: Sendable, CustomTestStringConvertible {
    /// Who meets an error.
    enum Audience: String, Sendable {
        /// A visitor of a tunnel.
        case visitor
        /// A caller of the control API, or a connector that shows a token.
        case caller
        /// Whoever asks for a connector's upgrade.
        case upgrade
    }

    /// What was answered.
    struct Met: Sendable {
        var status: Int
        var code: String?
        /// The member, parameter or header field that the body names.
        var field: String?

        init(_ answer: RawAnswer) {
            self.status = answer.status
            self.code = answer["Culvert-Error"]
            self.field = answer.problem?.field
        }

        init(_ answer: Answer) {
            self.status = answer.status
            self.code = answer.response.headerFields[.culvertError]
            self.field = answer.problem?.field
        }
    }

    let audience: Audience
    let code: String
    /// The status that docs/errors.md gives.
    let status: Int
    /// The `field` of the body.
    let field: String?
    /// Provokes the error.
    let provoke: @Sendable () async throws -> Met

    init(
        _ audience: Audience,
        _ code: String,
        _ status: Int,
        field: String? = nil,
        provoke: @escaping @Sendable () async throws -> Met
    ) {
        self.audience = audience
        self.code = code
        self.status = status
        self.field = field
        self.provoke = provoke
    }

    /// One error, since some codes mean something to both callers and visitors.
    var name: String { "\(self.audience.rawValue): \(self.code)" }

    var testDescription: String { self.name }

    /// One case a code.
    static var all: [CodeCase] { Self.visitors + Self.callers + Self.upgrades + Self.inbox + Self.dashboard }

    /// A case of an edge that is set so.
    static func edge(
        _ audience: Audience,
        _ code: String,
        _ status: Int,
        field: String? = nil,
        settings: [String] = [],
        provoke: @escaping @Sendable (EdgeUnderTest) async throws -> RawAnswer
    ) -> CodeCase {
        CodeCase(audience, code, status, field: field) {
            var met: Met?
            try await EdgeUnderTest.run(settings) { met = Met(try await provoke($0)) }
            return try #require(met)
        }
    }
}
