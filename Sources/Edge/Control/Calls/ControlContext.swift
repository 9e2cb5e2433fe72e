// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels
import Hummingbird
import Logging
import NIOCore

/// What is known of a call before it is routed.
struct ControlContextSource: RequestContextSource {
    /// A logger with the request's id.
    var logger: Logger
    /// Where the caller connects from.
    var remoteAddress: SocketAddress?
    /// The id under which the request is logged.
    var requestID: EdgeTunnels.RequestID
    /// What the audit log will say.
    var audit: AuditRecord
    /// Who makes the call, where that is known already.
    var principal: Principal?
}

/// What is known of a call while it is handled.
struct ControlContext: RequestContext {
    typealias Source = ControlContextSource

    var coreContext: CoreRequestContextStorage
    /// Where the caller connects from.
    let remoteAddress: SocketAddress?
    /// The id under which the request is logged.
    let requestID: EdgeTunnels.RequestID
    /// What the audit log will say.
    let audit: AuditRecord
    /// Who makes the call; set by ``CredentialMiddleware``, which guards every route that reads it.
    var principal: Principal?
    /// What the caller showed instead of an API key, in the shape of a tunnel token; set by ``RenewalMiddleware``, and
    /// not verified.
    var tunnelToken: String?

    init(source: ControlContextSource) {
        self.coreContext = CoreRequestContextStorage(source: source)
        self.remoteAddress = source.remoteAddress
        self.requestID = source.requestID
        self.audit = source.audit
        self.principal = source.principal
    }

    /// Who makes the call.
    func requirePrincipal() throws -> Principal {
        guard let principal = self.principal else { throw Problem.missingCredentials }
        return principal
    }
}
