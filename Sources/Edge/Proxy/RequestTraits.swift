// SPDX-License-Identifier: Apache-2.0
import HTTP1

/// What of a request matters until its response is complete, once its head is on its way.
struct RequestTraits: Equatable {
    private(set) var isHead = false
    /// Whether the request may be sent twice (RFC 9110 §9.2.2).
    private(set) var isIdempotent = true
    private(set) var version = HTTPVersion.http11
    /// What the visitor wants of the connection after this exchange.
    private(set) var isKeepAlive = true
    /// Whether the visitor asks for another protocol.
    private(set) var isUpgrade = false
    /// Whether the visitor sends its body only once it is told to go on (RFC 9110 §10.1.1).
    private(set) var expectsContinue = false
    private(set) var hasBody = false
    /// Whether the visitor authenticates the connection to the origin rather than the request (RFC 4559 §6).
    private(set) var bindsConnection = false

    /// Whether the visitor sends nothing after this request: it has no body, and wants the connection closed.
    var isVisitorsLast: Bool { !self.hasBody && !self.isKeepAlive && !self.isUpgrade }
}

extension RequestTraits {
    init(_ head: RequestHead) {
        self.init(
            isHead: head.isHead,
            isIdempotent: Self.isIdempotent(head),
            version: head.version,
            isKeepAlive: head.isKeepAlive,
            isUpgrade: head.isUpgrade,
            expectsContinue: head.version == .http11 && head.section.hasToken(.expect, "100-continue"),
            hasBody: !BodyReader(head.framing).isComplete,
            bindsConnection: head.section.bindsConnection(.authorization)
        )
    }

    private static func isIdempotent(_ head: RequestHead) -> Bool {
        head.hasMethod("GET") || head.hasMethod("HEAD") || head.hasMethod("OPTIONS") || head.hasMethod("TRACE")
            || head.hasMethod("PUT") || head.hasMethod("DELETE")
    }
}
